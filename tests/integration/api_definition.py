"""The Docker Engine API's own definition, where it lies beside the checkout: what an answer may look like.

It is read from shared/api beside the tree (or from $QUOLL_API_DEFINITIONS). Elsewhere there is none, and nothing is checked.
"""

import functools
import json
import os
import re

import jsonschema
import yaml

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = [os.environ.get("QUOLL_API_DEFINITIONS", ""), os.path.join(os.path.dirname(TREE), "shared/api")]
VERSION = "1.51"
# Pointers that dockerd writes as null where nobody has set them, though the definition does not say so. ExitCode is one
# in an exec that has not ended; a container's is always there.
NULL_POINTERS = ("MemorySwappiness", "OomKillDisable", "ExitCode")
# Fields of v1.24 that today's definition leaves out and dockerd still sends.
EARLIER_FIELDS = {("GET", "/events"): ("status", "id", "from")}


def path_of(name):
    """The definition's file, or None."""
    for folder in FOLDERS:
        if folder and os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    return None


def _merged(parts):
    """allOf as one object: the definition adds fields by it, and a closed object must know them all."""
    whole = {"type": "object", "properties": {}}
    for part in parts:
        whole["properties"] |= part.get("properties", {})
        whole["required"] = sorted({*whole.get("required", []), *part.get("required", [])})
        if "additionalProperties" in part:
            whole["additionalProperties"] = part["additionalProperties"]
    return whole


class Definition:
    def __init__(self, path):
        with open(path) as file:
            self._root = yaml.load(file, Loader=yaml.CSafeLoader)
        self.routes = {}  # (method, pattern): operation
        for pattern, operations in self._root["paths"].items():
            for method, operation in operations.items():
                if method in ("get", "head", "post", "put", "delete"):
                    self.routes[method.upper(), pattern] = operation
        self._patterns = [(re.compile(self._regular(pattern) + "$"), method, pattern)
                          for method, pattern in sorted(self.routes, key=lambda route: route[1].count("{"))]

    @staticmethod
    def _regular(pattern):
        # An image's name may have slashes in it; an id has none.
        return re.sub(r"\\{name\\}", ".+", re.sub(r"\\{id\\}", "[^/]+", re.escape(pattern)))

    def find(self, method, path):
        """The pattern of a request's path, without version and query; None where the definition has no such route."""
        for regular, known_method, pattern in self._patterns:
            if known_method == method and regular.match(path):
                return pattern
        return None

    @functools.lru_cache(maxsize=None)
    def validator(self, method, pattern, status):
        """The validator of a JSON answer; None where the definition says nothing of it."""
        answer = self.routes[method, pattern]["responses"].get(status)
        if not answer or "schema" not in answer:
            return None
        strict = self._strict(answer["schema"], ())
        for name in EARLIER_FIELDS.get((method, pattern), ()):
            strict["properties"][name] = {"type": "string"}
        return jsonschema.Draft4Validator(strict)

    def _strict(self, schema, seen):
        """As JSON schema, references replaced, with no field allowed that is not named."""
        if "$ref" in schema:
            name = schema["$ref"]
            if name in seen:
                return {}  # a type that holds itself
            target = self._root
            for part in name.removeprefix("#/").split("/"):
                target = target[part]
            return self._strict({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, (*seen, name))
        if "allOf" in schema:
            parts = [self._strict(part, seen) for part in schema["allOf"]]
            return self._nullable(schema, self._closed(_merged(parts)))
        strict = {key: schema[key] for key in ("type", "required", "enum", "minimum", "maximum") if key in schema}
        if "properties" in schema:
            strict["properties"] = {
                name: self._strict({**part, "x-nullable": True} if name in NULL_POINTERS else part, seen)
                for name, part in schema["properties"].items()}
            strict.setdefault("type", "object")
            # It also requires fields that it does not define, and dockerd does not send: ImageData's UnpackedSize.
            strict["required"] = [name for name in strict.get("required", []) if name in schema["properties"]]
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            strict["additionalProperties"] = self._strict(extra, seen)
        if "items" in schema:
            strict["items"] = self._strict(schema["items"], seen)
        return self._nullable(schema, self._closed(strict))

    @staticmethod
    def _closed(strict):
        if strict.get("properties") and "additionalProperties" not in strict:
            strict["additionalProperties"] = False
        return strict

    @staticmethod
    def _nullable(schema, strict):
        # Go writes an empty list, map or pointer as null unless told otherwise, and its clients read it so; where the
        # definition says that a value may be null it says x-nullable, but for most containers of values it is silent.
        if "type" in strict and (schema.get("x-nullable") or strict["type"] in ("array", "object")):
            strict["type"] = [strict["type"], "null"]
            if "enum" in strict:
                strict["enum"] = [*strict["enum"], None]
        return strict

    def problems(self, method, path, status, value):
        """In words, what is wrong with a JSON answer; empty where nothing is, or where nothing is defined."""
        pattern = self.find(method, path)
        if pattern is None:
            return []
        validator = self.validator(method, pattern, status)
        if validator is None:
            return []
        return [f"{method} {pattern} {status}: {'.'.join(map(str, error.absolute_path)) or '(top)'}: {error.message[:300]}"
                for error in validator.iter_errors(value)]


@functools.lru_cache(maxsize=None)
def definition():
    """The definition of the newest version, or None."""
    path = path_of(f"docker-engine-v{VERSION}.yaml")
    return Definition(path) if path else None


def check(method, target, status, headers, body):
    """Fails where a JSON answer is not as the definition has it. Older versions' answers are not looked at."""
    if definition() is None or not headers.get("content-type", "").startswith("application/json") or not body:
        return
    path, _, _ = target.partition("?")
    version = re.match(r"/v([0-9.]+)(/.*)", path)
    if version:
        if version[1] != VERSION:
            return
        path = version[2]
    try:
        value = json.loads(body)
    except ValueError:
        return  # a stream of values
    problems = definition().problems(method, path, status, value)
    assert not problems, "not as the API's definition has it:\n" + "\n".join(problems)


def examples(version="1.24"):
    """{(method, pattern): [JSON of its example answers]} of an old version's text."""
    path = path_of(f"docker-engine-v{version}.md")
    if path is None:
        return None
    found = {}
    route = None
    with open(path) as file:
        text = file.read()
    for part in re.split(r"\n(?=`(?:GET|POST|DELETE|PUT|HEAD) /)", text):
        head = re.match(r"`(\w+) (/[^`?]*)", part)
        if not head:
            continue
        route = head[1], re.sub(r"\((?:id or name|id|name)\)", "{id}", head[2])
        for answer in re.findall(r"\*\*Example response\*\*:?(.*?)(?=\n\*\*|\Z)", part, re.S):
            body = re.search(r"\n\s*\n(\s*[\[{].*)", answer, re.S)
            if not body:
                continue
            try:
                value, _ = json.JSONDecoder().raw_decode(body[1].strip())
            except ValueError:
                continue  # "..." or a comment in it
            found.setdefault(route, []).append(value)
    return found

"""Builds over the API alone: contexts made in memory, and what the daemon says of them."""

import io
import json
import os
import tarfile
import urllib.parse


def context(dockerfile=None, files=None, members=(), mtime=1_600_000_000):
    """A tar of {name: text or bytes}; a name that ends in / is a directory. `members` are further TarInfos, without content."""
    out = io.BytesIO()
    contents = dict(files or {})
    if dockerfile is not None:
        contents["Dockerfile"] = dockerfile
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in contents.items():
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mode, member.mtime, member.size = 0o644, mtime, len(data)
            if name.endswith("/"):
                member.type, member.mode, member.size = tarfile.DIRTYPE, 0o755, 0
            archive.addfile(member, io.BytesIO(data))
        for member in members:
            archive.addfile(member)
    return out.getvalue()


def link(name, target):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
    return member


def path(**parameters):
    """/build with these parameters; what is no text is sent as JSON, a list of `t` as several."""
    query = [(name, text) for name, value in parameters.items()
             for text in (value if name == "t" and isinstance(value, list) else [value])]
    return "/build?" + urllib.parse.urlencode(
        [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in query])


HEADERS = {"Content-Type": "application/x-tar"}


class Build:
    """A build that has ended: its lines, and what they come to."""

    def __init__(self, answer):
        self.lines = [json.loads(line) for line in answer.text.splitlines() if line]
        self.text = "".join(line.get("stream", "") for line in self.lines)
        self.id = next((line["aux"]["ID"] for line in self.lines if "aux" in line), None)
        self.error = next((line["errorDetail"] for line in self.lines if "errorDetail" in line), None)
        self.hits = self.text.count(" ---> Using cache")

    def succeeded(self):
        assert self.error is None and self.id, self.lines
        return self


def build(daemon, dockerfile, files=None, members=(), /, body=None, headers=None, **parameters):
    """POST /build, to its end."""
    body = context(dockerfile, files, members) if body is None else body
    return Build(daemon.http.post(path(**parameters), body=body, headers={**HEADERS, **(headers or {})}).expect(200))


def refusal(daemon, dockerfile, status=400, /, **parameters):
    """The message of a build that is refused before its first line."""
    answer = daemon.http.post(path(**parameters), body=context(dockerfile), headers=HEADERS).expect(status)
    return answer.json()["message"]


def shell(daemon, image, script):
    """What a script says in a container of the image."""
    return daemon.docker("run", "--rm", "--entrypoint", "", image, "sh", "-c", script).stdout


def work_files(daemon):
    """What lies in the store's places for work on its way."""
    return [os.path.join(part, "work", name) for part in ("images", "layers")
            for name in os.listdir(os.path.join(daemon.root, part, "work"))]


def nothing_goes_on(daemon):
    """No step's container, no files of a build, no task of one."""
    return daemon.container_ids() == [] and work_files(daemon) == [] and daemon.dump("build_image") == ""


def begun(daemon, dockerfile="FROM busybox\nRUN echo begun; sleep 600\n", http=None):
    """A build's stream and what it has said, once its step says that it has begun."""
    stream = (http or daemon.http).stream(path(), "POST", body=context(dockerfile), headers=HEADERS)
    text = ""
    while '"begun' not in text:
        more = stream.read_some().decode()
        assert more, text
        text += more
    return stream, text


def stored(daemon):
    """The names of all layers and blobs that the store has."""
    return (set(os.listdir(os.path.join(daemon.root, "layers"))),
            set(os.listdir(os.path.join(daemon.root, "images/blobs/sha256"))))

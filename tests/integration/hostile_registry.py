"""A registry of our own, which serves images made by oci.py, and misbehaves as a test tells it to.

    registry.add("repo", "tag", image)
    registry.on_blob[digest] = function(handler, data)     # answers in place of the registry
    registry.on_tags = function(handler)                   # the same for a repository's list of tags

It knows ranges, and bearer tokens where `token` is set. `requests` has (method, path, headers) of all that came.
Pushes are taken where `on_upload` is set: a function(handler) that reads the body of a PATCH, or does not.
"""

import base64
import http.server
import json
import threading
import time
import urllib.parse

import oci

PIECE = 64 * 1024


class HostileRegistry:
    def __init__(self):
        self.blobs = {}
        self.manifests = {}  # (repository, tag or digest) -> (media type, bytes)
        self.on_blob = {}
        self.on_tags = None
        self.on_upload = None
        self.requests = []
        self.token = None  # (user, password): asks for a bearer token, which these get
        self.released = threading.Event()  # for handlers that hold a connection open until the test's end
        registry = self

        class Handler(_Handler):
            pass
        Handler.registry = registry
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.name = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def add(self, repository, tag, image):
        self.blobs.update(image.blobs)
        self.add_manifest(repository, tag, image.media_type, image.manifest)
        return f"{self.name}/{repository}:{tag}"

    def add_manifest(self, repository, tag, media_type, data):
        self.manifests[repository, tag] = self.manifests[repository, oci.digest(data)] = (media_type, data)

    def add_index(self, repository, tag, images, media_type=oci.OCI_INDEX):
        """images: {(os, architecture[, variant]): OciImage}"""
        entries = []
        for platform, image in images.items():
            self.add(repository, oci.digest(image.manifest), image)
            entries.append({"mediaType": image.media_type, "digest": oci.digest(image.manifest),
                            "size": len(image.manifest),
                            "platform": dict(zip(("os", "architecture", "variant"), platform))})
        data = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).encode()
        self.add_manifest(repository, tag, media_type, data)
        return f"{self.name}/{repository}:{tag}"

    def count(self, method, part):
        return sum(1 for seen, path, _ in list(self.requests) if seen == method and part in path)

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._serve()

    def do_HEAD(self):
        self._serve()

    def do_POST(self):
        self.registry.requests.append((self.command, self.path, dict(self.headers)))
        self.answer(202, b"", {"Location": self.path + "upload"})

    def do_PATCH(self):
        self.registry.requests.append((self.command, self.path, dict(self.headers)))
        self.registry.on_upload(self)

    def _serve(self):
        registry = self.registry
        registry.requests.append((self.command, self.path, dict(self.headers)))
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/token":
            return self._token(url.query)
        if registry.token and self.headers.get("Authorization") != "Bearer right":
            return self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', {
                "WWW-Authenticate": f'Bearer realm="http://{registry.name}/token",service="us",scope="repository:x:pull"'})
        parts = url.path.split("/")
        if url.path == "/v2/":
            return self.answer(200, b"{}")
        if len(parts) >= 5 and parts[-2] == "manifests":
            found = registry.manifests.get(("/".join(parts[2:-2]), parts[-1]))
            if not found:
                return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
            return self.answer(200, found[1], {"Content-Type": found[0], "Docker-Content-Digest": oci.digest(found[1])})
        if parts[-2:] == ["tags", "list"] and registry.on_tags:
            return registry.on_tags(self)
        if len(parts) >= 5 and parts[-2] == "blobs" and parts[-1] in registry.blobs:
            data = registry.blobs[parts[-1]]
            if parts[-1] in registry.on_blob:
                return registry.on_blob[parts[-1]](self, data)
            return self.send_blob(data)
        self.answer(404, b'{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}')

    def _token(self, query):
        user, password = self.registry.token
        given = self.headers.get("Authorization")
        right = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if given != right:
            return self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}')
        self.answer(200, b'{"token":"right","expires_in":300}')

    # -- what behaviours are made of --

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def range_start(self):
        return int(self.headers["Range"][len("bytes="):].rstrip("-")) if "Range" in self.headers else 0

    def blob_head(self, data, start=0, length=None):
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start if length is None else length))
        self.end_headers()

    def send_blob(self, data):
        start = self.range_start()
        self.blob_head(data, start)
        self.wfile.write(data[start:])

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True


class Gate:
    """A layer that stops half way until it is opened."""

    def __init__(self, registry, image, layer=0):
        self.opened, self.reached = threading.Event(), threading.Event()
        self.starts = 0
        registry.on_blob[image.document["layers"][layer]["digest"]] = self.serve
        self.registry = registry

    def serve(self, handler, data):
        self.starts += 1
        start = handler.range_start()
        handler.blob_head(data, start)
        try:
            handler.wfile.write(data[start:len(data) // 2])
            self.reached.set()
            deadline = time.monotonic() + 30  # a test that fails waits for its pulls
            while not self.opened.wait(0.02):
                if self.registry.released.is_set() or time.monotonic() > deadline:
                    return handler.hang_up()
            handler.wfile.write(data[max(start, len(data) // 2):])
        except OSError:
            handler.close_connection = True

"""HTTP as the tests need it: a plain request, a stream that is read bit by bit, a bare socket, and three ways to hang up.

Every whole JSON answer that any test gets is held against the API's definition (api_definition.py).
"""

import contextlib
import http.client
import json
import socket
import struct

import api_definition


class Answer:
    """A whole response: status, headers (names in lower case) and body."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    def expect(self, *statuses):
        assert self.status in statuses, f"{self.status}, not {statuses}: {self.body[:2000]!r}"
        return self

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Stream:
    """A response whose body is still coming. Closing it early is the client's leaving."""

    def __init__(self, connection, sock, response):
        self._connection = connection
        self.socket = sock
        self.response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def read_some(self, size=65536):
        """What has come, at least a byte; b"" at the end."""
        return self.response.read1(size)

    def read_all(self):
        return self.response.read()

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        """Leaves by FIN."""
        self.response.close()
        self._connection.close()

    def reset(self):
        """Leaves by RST, over TCP; over a UNIX socket this is close()."""
        reset_on_close(self.socket)
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def reset_on_close(sock):
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Connection(http.client.HTTPConnection):
    def __init__(self, client, timeout):
        super().__init__("localhost", timeout=timeout)
        self._client = client

    def connect(self):
        self.sock = self._client.connect(self.timeout)


class HttpClient:
    """Talks to one address: a UNIX socket's path, or (host, port). Each request has a connection of its own."""

    def __init__(self, address):
        self.address = address

    def connect(self, timeout=30.0):
        """A bare connected socket, for requests that http.client would not make."""
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(self.address)
        except BaseException:
            sock.close()
            raise
        return sock

    def _send(self, method, path, body, json_body, headers, timeout):
        headers = dict(headers or {})
        if json_body is not None:
            body = json.dumps(json_body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = _Connection(self, timeout)
        try:
            connection.request(method, path, body=body, headers=headers)
            # Where the body ends with the connection, getresponse takes the socket out of it.
            sock = connection.sock
            return connection, sock, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def request(self, method, path, body=None, json=None, headers=None, timeout=60.0):
        connection, _, response = self._send(method, path, body, json, headers, timeout)
        with contextlib.closing(connection):
            answer = Answer(response)
        api_definition.check(method, path, answer.status, answer.headers, answer.body)
        return answer

    def stream(self, path, method="GET", body=None, json=None, headers=None, timeout=60.0):
        return Stream(*self._send(method, path, body, json, headers, timeout))

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def head(self, path, **kwargs):
        return self.request("HEAD", path, **kwargs)

    def post(self, path, **kwargs):
        return self.request("POST", path, **kwargs)

    def put(self, path, **kwargs):
        return self.request("PUT", path, **kwargs)

    def delete(self, path, **kwargs):
        return self.request("DELETE", path, **kwargs)

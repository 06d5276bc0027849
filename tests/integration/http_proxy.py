"""A small HTTP proxy: CONNECT and whole URLs, every name is this host. `requests` has (method, target, authorization)."""

import base64
import contextlib
import http.client
import http.server
import select
import socket
import threading
import urllib.parse


class HttpProxy:
    """credentials: (user, password) that it asks for."""

    def __init__(self, credentials=None):
        self.requests = []
        self.expected = credentials and "Basic " + base64.b64encode(":".join(credentials).encode()).decode()
        proxy = self

        class Handler(_Handler):
            pass
        Handler.proxy = proxy
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy = None

    def log_message(self, *_):
        pass

    def _may(self):
        given = self.headers.get("Proxy-Authorization")
        self.proxy.requests.append((self.command, self.path, given))
        if self.proxy.expected in (None, given):
            return True
        self.send_response(407)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def do_CONNECT(self):
        if not self._may():
            return
        self.close_connection = True
        with contextlib.closing(socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2])))) as other:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: other, other: self.connection}
            while True:
                for ready in select.select(list(ends), [], [])[0]:
                    try:
                        data = ready.recv(65536)
                        ends[ready].sendall(data)
                    except OSError:
                        return
                    if not data:
                        return

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _forward(self):
        if not self._may():
            return
        url = urllib.parse.urlsplit(self.path)
        body = self._body()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", url.port)) as other:
            headers = {name: value for name, value in self.headers.items()
                       if not name.startswith("Proxy-") and name not in ("Transfer-Encoding", "Content-Length")}
            other.request(self.command, url.path + ("?" + url.query if url.query else ""), body, headers)
            answer = other.getresponse()
            data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.headers["Content-Length"] if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _forward

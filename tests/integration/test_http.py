"""HTTP as it should not be, and as Docker's clients rely on it: by bare sockets against the daemon."""

import re
import socket

import pytest

import containers
from waiting import eventually

HOST = b"Host: localhost\r\n"


def exchange(client, data, half_close=True):
    """Sends the bytes, and returns all that comes until the server closes."""
    with client.connect(timeout=10) as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has answered and closed before all was sent
        answer = b""
        try:
            while more := sock.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


def status(answer):
    match = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    assert match, f"no answer: {answer[:200]!r}"
    return int(match[1])


def statuses(answer):
    return [int(code) for code in re.findall(rb"^HTTP/1\.1 (\d{3}) ", answer, re.M)]


def get(path, headers=HOST):
    return b"GET " + path.encode() + b" HTTP/1.1\r\n" + headers + b"\r\n"


def create(headers, body=b""):
    return b"POST /containers/create HTTP/1.1\r\n" + HOST + headers + b"\r\n\r\n" + body


def post(path):
    return b"POST " + path.encode() + b" HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked"

MALFORMED = {
    "no HTTP at all": (b"hello\r\n\r\n", 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100 + b"\r\n\r\n", 400),
    "no version": (b"GET /_ping\r\n" + HOST + b"\r\n", 400),
    "an unknown version": (b"GET /_ping HTTP/3.0\r\n" + HOST + b"\r\n", 505),
    "two spaces": (b"GET  /_ping HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a control character in the target": (b"GET /_p\x01ing HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a bad escape in the target": (b"GET /_p%zzing HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a control character in a header": (b"GET /_ping HTTP/1.1\r\n" + HOST + b"X: a\x01b\r\n\r\n", 400),
    "a space before the colon": (b"GET /_ping HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n", 400),
    "no host": (b"GET /_ping HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /_ping HTTP/1.1\r\n" + HOST * 2 + b"\r\n", 400),
    "a header that is too long": (b"GET /_ping HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 431),
    "too many headers": (b"GET /_ping HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 10_000 + b"\r\n", 431),
    "a target that is too long": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
    "a length that is no number": (create(b"Content-Length: ten"), 400),
    "a length below zero": (create(b"Content-Length: -1"), 400),
    "a length that overflows": (create(b"Content-Length: " + b"9" * 30), 400),
    "two lengths": (create(b"Content-Length: 2\r\nContent-Length: 3", b"{}x"), 400),
    "length and chunks": (create(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"), 400),
    "chunks twice": (create(b"Transfer-Encoding: chunked, chunked", b"0\r\n\r\n"), None),
    "an unknown encoding": (create(b"Transfer-Encoding: zork"), None),
    "a chunk size that is no number": (create(CHUNKED, b"zz\r\n{}\r\n0\r\n\r\n"), 400),
    "a chunk size that overflows": (create(CHUNKED, b"f" * 20 + b"\r\n{}"), 400),
    "a chunk without its end": (create(CHUNKED, b"2\r\n{}xx0\r\n\r\n"), 400),
    "a body that breaks off": (create(b"Content-Length: 100", b"{}"), None),
}


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_requests_are_refused_and_the_connection_ends(daemon, transport, what):
    data, wanted = MALFORMED[what]
    client = daemon.tcp if transport == "tcp" else daemon.http
    # What follows on the connection must not be taken for a request of its own.
    answer = exchange(client, data, half_close=wanted is None)
    if wanted is None:
        assert answer == b"" or status(answer) in (400, 501), answer
    else:
        assert status(answer) == wanted, answer
    assert len(statuses(answer)) <= 1
    assert daemon.http.get("/_ping").status == 200
    daemon.leak_check("create_container")
    assert daemon.container_ids() == []


SMUGGLED = get("/version")


@pytest.mark.parametrize("framing", [
    b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    b"Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n", b"Transfer-Encoding : chunked\r\nContent-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"Content-Length: 0\r\nContent-Length: 6\r\n",
    b"Content-Length: +0\r\n", b"Content-Length: 0x0\r\n", b"Content-Length: 0, 6\r\n",
    b"X: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n"])
def test_a_request_cannot_be_smuggled_behind_another(daemon, framing):
    answer = exchange(daemon.tcp, b"POST /containers/x/start HTTP/1.1\r\n" + HOST + framing + b"\r\n0\r\n\r\n" + SMUGGLED)
    assert statuses(answer) in ([400], [501]), answer
    assert b"MinAPIVersion" not in answer


def test_a_header_that_comes_byte_by_byte_is_read(daemon):
    with daemon.tcp.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in get("/_ping", HOST + b"Connection: close\r\n"):
            sock.sendall(bytes([byte]))
        assert status(sock.recv(65536)) == 200


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_pipelined_requests_are_answered_in_order(daemon, transport):
    client = daemon.tcp if transport == "tcp" else daemon.http
    names = [f"n{index}" for index in range(50)]
    data = b"".join(get(f"/containers/{name}/json") for name in names) + get("/_ping", HOST + b"Connection: close\r\n")
    answer = exchange(client, data, half_close=False)
    assert statuses(answer) == [404] * 50 + [200]
    assert re.findall(rb"No such container: (n\d+)", answer) == [name.encode() for name in names]


def test_a_pipelined_request_behind_one_that_waits_is_kept_and_answered(daemon):
    container = containers.create(daemon, "exit 5")
    with daemon.tcp.connect() as sock:
        sock.sendall(post(f"/containers/{container}/wait?condition=next-exit"))
        daemon.leak_check("--expect-alive", "wait_container")
        sock.sendall(get("/_ping", HOST + b"Connection: close\r\n"))
        containers.start(daemon, container)
        answer = b""
        while more := sock.recv(65536):
            answer += more
    assert statuses(answer) == [200, 200]
    assert answer.index(b'{"StatusCode":5}') < answer.rindex(b"\r\n\r\nOK")


def test_a_connection_is_kept_over_all_kinds_of_answers(daemon):
    container = containers.finished(daemon, "echo said")
    with daemon.tcp.connect() as sock:
        file = sock.makefile("rb")

        def ask(request):
            sock.sendall(request)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = file.readline()
                assert line, f"the connection ended: {head!r}"
                head += line
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if length and not request.startswith(b"HEAD"):
                return head, file.read(int(length[1]))
            if b"chunked" not in head.lower():
                return head, b""
            body = b""
            while size := int(file.readline(), 16):
                body += file.read(size)
                assert file.read(2) == b"\r\n"
            assert file.readline() == b"\r\n"
            return head, body

        assert ask(get("/_ping"))[1] == b"OK"
        assert status(ask(get("/nowhere"))[0]) == 404
        assert ask(b"HEAD /_ping HTTP/1.1\r\n" + HOST + b"\r\n")[1] == b""
        assert containers.payload(ask(get(f"/containers/{container}/logs?stdout=1"))[1]) == b"said\n"
        assert status(ask(b"POST /containers/create HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}")[0]) == 400
        assert status(ask(b"POST /containers/nobody/start HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbody")[0]) == 404
        assert status(ask(post(f"/containers/{container}/stop"))[0]) == 304
        assert ask(get("/_ping"))[1] == b"OK"


def test_head_of_ping_has_the_headers_that_docker_looks_for(daemon):
    for answer in (daemon.http.head("/_ping"), daemon.http.get("/_ping"), daemon.tcp.get("/v1.24/_ping")):
        assert answer.status == 200
        assert answer.headers["api-version"] == "1.51"
        assert answer.headers["ostype"] == "linux"
        assert answer.headers["docker-experimental"] == "false"
        assert answer.headers["server"].startswith("Quoll/")
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["content-length"] == "2"
    assert daemon.http.head("/_ping").body == b""


def test_errors_have_the_headers_too(daemon):
    answer = daemon.http.get("/containers/nobody/json").expect(404)
    assert answer.headers["api-version"] == "1.51" and answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("version", ["v1.24", "v1.30", "v1.41", "v1.51"])
def test_every_supported_version_is_served(daemon, version):
    daemon.http.get(f"/{version}/containers/json").expect(200)
    assert daemon.http.get(f"/{version}/version").expect(200).json()["ApiVersion"] == "1.51"


@pytest.mark.parametrize("version, words", [
    *((version, f"client version {version[1:]} is too old. Minimum supported API version is 1.24, please upgrade your client "
       "to a newer version") for version in ("v1.23", "v1.0", "v1", "v0.99")),
    *((version, f"client version {version[1:]} is too new. Maximum supported API version is 1.51")
      for version in ("v1.52", "v1.100", "v2.0"))])
def test_other_versions_are_refused_in_docker_s_words(daemon, version, words):
    answer = daemon.http.get(f"/{version}/containers/json").expect(400)
    assert answer.json() == {"message": words}
    # A route that is not there yet, too.
    assert daemon.http.get(f"/{version}/swarm").expect(400).json() == {"message": words}


@pytest.mark.parametrize("method, path", [
    ("GET", "/"), ("GET", "/nowhere"), ("GET", "/vX/containers/json"), ("GET", "/v1.x/_ping"),
    ("GET", "/v1.41"), ("GET", "/containers"), ("GET", "/containers/x"), ("GET", "/containers/json/"),
    ("GET", "/containers//json"),
    ("POST", "/containers/json"), ("DELETE", "/containers/create/x"), ("PUT", "/_ping"), ("POST", "/version"), ("PATCH", "/info"),
    ("BREW", "/_ping"), ("OPTIONS", "/containers/json"), ("GET", "/debug/nowhere"), ("GET", "/%2e%2e/etc/passwd")])
def test_what_is_not_there_is_page_not_found(daemon, method, path):
    answer = daemon.http.request(method, path).expect(404)
    assert answer.json() == {"message": "page not found"} or path.startswith("/debug/")


@pytest.mark.parametrize("method, path", [
    ("GET", "/swarm"), ("POST", "/v1.41/swarm/init"), ("GET", "/services"), ("POST", "/services/create"), ("GET", "/plugins"),
    ("POST", "/session"), ("POST", "/grpc")])
def test_what_is_out_of_scope_is_501_and_says_so(daemon, method, path):
    answer = daemon.http.request(method, path).expect(501)
    assert re.fullmatch(rf"{method} /.* is not supported yet", answer.json()["message"])


def test_an_upload_to_what_is_not_there_is_answered_and_does_not_hang(daemon):
    body = b"POST /session HTTP/1.1\r\n" + HOST + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
    assert status(exchange(daemon.http, body, half_close=False)) == 501


# -- web pages --


@pytest.mark.parametrize("host", ["evil.example", "evil.example:2375", "localhost.evil.example", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_is_refused_on_tcp_and_not_on_unix(daemon, host):
    header = f"Host: {host}\r\n".encode()
    for path in ("/containers/json", "/debug/goroutine", "/nowhere"):
        assert status(exchange(daemon.tcp, get(path, header + b"Connection: close\r\n"))) == 403
    assert status(exchange(daemon.http, get("/_ping", header + b"Connection: close\r\n"))) == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost:1", "file://"])
def test_a_foreign_origin_is_refused_on_tcp(daemon, origin):
    daemon.tcp.get("/containers/json", headers={"Origin": origin}).expect(403)
    daemon.tcp.post("/containers/create", json={"Image": "busybox"}, headers={"Origin": origin}).expect(403)
    assert daemon.container_ids() == []


@pytest.mark.parametrize("host", ["localhost", "localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "LOCALHOST"])
def test_the_host_s_own_names_and_origin_are_served(daemon, host):
    host = host.format(port=daemon.port)
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}"}):
        daemon.tcp.get("/_ping", headers=headers).expect(200)


# -- bodies --


def test_expect_100_continue_is_answered_before_the_body(daemon):
    with daemon.tcp.connect(timeout=10) as sock:
        sock.sendall(b"POST /containers/create HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"{}")
        assert status(sock.recv(65536)) == 400


def test_a_chunked_body_in_odd_pieces_is_put_together(daemon):
    body = b'{"Image":"busybox","Cmd":["true"]}'
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (1, body[i:i + 1]) for i in range(len(body))) + b"0\r\nTrailer: x\r\n\r\n"
    answer = exchange(daemon.http, b"POST /containers/create?name=pieces HTTP/1.1\r\n" + HOST +
                      b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks, half_close=False)
    assert status(answer) == 201
    assert len(daemon.container_ids()) == 1


def test_a_body_is_read_whatever_content_type_it_has(daemon):
    for content_type in ("text/plain", "application/json; charset=utf-8", "x"):
        daemon.http.post("/containers/create", body=b'{"Image":"busybox"}', headers={"Content-Type": content_type}).expect(201)


def test_a_crowd_of_idle_and_broken_connections_costs_nobody_else(daemon):
    descriptors = daemon.fd_count()
    idle = [daemon.tcp.connect() for _ in range(300)]
    for sock in idle[::3]:
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHos")
    for sock in idle[1::3]:
        sock.sendall(b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123")
    assert daemon.tcp.get("/_ping").status == 200
    for sock in idle:
        sock.close()
    eventually(lambda: daemon.fd_count() <= descriptors, what=f"{descriptors} descriptors again")
    daemon.leak_check("load_images")

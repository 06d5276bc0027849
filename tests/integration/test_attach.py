"""attach: to what runs, to what will run, to a log; who leaves, and how."""

import hashlib
import random
import socket

import pytest

import containers
from test_exec import hijack, read_all
from waiting import eventually

ATTACH = "/containers/{}/attach?stream=1&stdin=1&stdout=1&stderr=1"


def create(daemon, *command, **fields):
    body = {"Image": "busybox", "Cmd": list(command), "OpenStdin": True, "StdinOnce": True, **fields}
    return daemon.http.post("/containers/create", json=body).expect(201).json()["Id"]


def attach(daemon, container, more="", **kwargs):
    return hijack(daemon, ATTACH.format(container) + more, **kwargs)


@pytest.fixture
def cat(daemon):
    """A container that copies its input to its output, and whose input nobody's leaving closes."""
    container = create(daemon, "cat", StdinOnce=False)
    containers.start(daemon, container)
    return container


# -- what comes and goes --


def test_attached_before_the_start_it_sees_the_first_byte(daemon):
    for _ in range(5):
        container = create(daemon, "sh", "-c", "echo first; cat; echo last >&2")
        sock, head = attach(daemon, container)
        assert head.startswith("HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n")
        containers.start(daemon, container)
        sock.sendall(b"typed\n")
        sock.shutdown(socket.SHUT_WR)  # StdinOnce: the end of the container's input
        data = read_all(sock)
        assert (containers.payload(data, 1), containers.payload(data, 2)) == (b"first\ntyped\n", b"last\n")


def test_without_an_upgrade_it_is_a_raw_200(daemon, cat):
    sock, head = attach(daemon, cat, upgrade=False)
    assert head.startswith("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n")
    sock.sendall(b"x")
    assert sock.recv(9, socket.MSG_WAITALL) == b"\1\0\0\0\0\0\0\1x"


def test_old_clients_get_the_old_media_type(daemon, cat):
    sock, head = hijack(daemon, "/v1.41" + ATTACH.format(cat))
    assert "Content-Type: application/vnd.docker.raw-stream\r\n" in head
    sock.close()


def test_several_see_the_same_and_all_may_type(daemon, cat):
    socks = [attach(daemon, cat)[0] for _ in range(3)]
    for number, sock in enumerate(socks):
        sock.sendall(f"{number}\n".encode())
        for other in socks:
            assert other.recv(10, socket.MSG_WAITALL)[8:] == f"{number}\n".encode()


def test_logs_and_stream_have_neither_a_gap_nor_anything_twice(daemon):
    container = containers.run(daemon, "i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done; sleep 0.5; echo end")
    sock, _ = hijack(daemon, f"/containers/{container}/attach?logs=1&stream=1&stdout=1")
    assert containers.payload(read_all(sock)).decode().split() == [*map(str, range(2000)), "end"]
    sock, _ = hijack(daemon, f"/containers/{container}/attach?logs=1&stdout=1")
    assert containers.payload(read_all(sock)).decode().split()[-1] == "end"


def test_much_goes_through_whole(daemon):
    container = create(daemon, "sh", "-c", "md5sum; seq 300000")
    sock, _ = attach(daemon, container)
    containers.start(daemon, container)
    text = b"".join(b"%d\n" % number for number in range(200000))
    sock.sendall(text)
    sock.shutdown(socket.SHUT_WR)
    lines = containers.payload(read_all(sock), 1).decode().splitlines()
    assert lines[0].split()[0] == hashlib.md5(text).hexdigest()
    assert lines[1:] == [str(number) for number in range(1, 300001)]


def test_docker_run_i(daemon):
    assert daemon.docker("run", "--rm", "-i", "busybox", "cat", input="over\nand out").stdout == "over\nand out"
    # Output is not lost where nobody reads the input.
    done = daemon.docker("run", "--rm", "-i", "busybox", "sh", "-c", "seq 5; exit 3", input="x" * 100000, check=False)
    assert (done.stdout, done.returncode) == ("1\n2\n3\n4\n5\n", 3)


def test_quoll_and_docker_attach_to_a_log_driver_none(daemon):
    container = daemon.docker("run", "-d", "-i", "--log-driver", "none", "busybox", "cat").stdout.strip()
    sock, _ = attach(daemon, container)
    sock.sendall(b"x")
    assert sock.recv(9, socket.MSG_WAITALL)[8:] == b"x"


# -- errors --


def test_errors(daemon, cat):
    daemon.http.post("/containers/none/attach?stream=1").expect(404)
    answer = daemon.http.post(f"/containers/{cat}/attach?stream=1&detachKeys=ctrl-P").expect(400).json()
    assert answer == {"message": "Invalid detach keys (ctrl-P) provided"}
    daemon.http.post(f"/containers/{cat}/resize?h=x&w=3").expect(400)
    daemon.docker("pause", cat)
    answer = daemon.http.post(f"/containers/{cat}/attach?stream=1").expect(409).json()
    assert answer == {"message": f"container {cat} is paused, unpause the container before attach"}
    daemon.docker("unpause", cat)
    stopped = create(daemon, "true")
    daemon.http.post(f"/containers/{stopped}/resize?h=3&w=3").expect(409)


# -- who leaves --


def test_leaving_leaves_the_container_and_nothing_else(daemon, cat):
    before = daemon.fd_count_at_rest()
    sock, _ = attach(daemon, cat)
    sock.sendall(b"x")
    assert sock.recv(9, socket.MSG_WAITALL)[8:] == b"x"
    daemon.leak_check("--expect-alive", "attach_container")
    sock.close()
    daemon.leak_check("attach_container", "run_session")
    eventually(lambda: daemon.fd_count() <= before, what="as many descriptors as before")
    sock, _ = attach(daemon, cat)
    sock.sendall(b"y")
    assert sock.recv(9, socket.MSG_WAITALL)[8:] == b"y"


def test_one_that_waits_for_a_start_may_leave_or_be_removed_from_under(daemon):
    container = create(daemon, "cat")
    left, _ = attach(daemon, container)
    stays, _ = attach(daemon, container)
    left.close()
    daemon.http.delete(f"/containers/{container}").expect(204)
    assert read_all(stays) == b""
    daemon.leak_check("attach_container")


def test_a_half_close_ends_an_attach_that_does_not_own_the_input(daemon, cat):
    sock, _ = attach(daemon, cat)
    sock.shutdown(socket.SHUT_WR)
    assert read_all(sock) == b""
    assert containers.state(daemon, cat)["Running"]


def test_five_hundred_random_hang_ups_leave_nothing(daemon, cat):
    # Seeded, so that a failure comes again.
    chance = random.Random(4)
    waiting = create(daemon, "cat")
    before = daemon.fd_count_at_rest()
    for _ in range(500):
        target = chance.choice([cat, cat, cat, waiting])
        more = chance.choice(["", "&logs=1", "&detachKeys=a"])
        if chance.random() < 0.2:  # in the middle of the request
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(daemon.socket_path)
            text = f"POST {ATTACH.format(target)}{more} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            sock.sendall(text[:chance.randrange(len(text))])
        else:
            sock, _ = attach(daemon, target, more)
            if chance.random() < 0.5:
                sock.sendall(b"x" * chance.randrange(1, 5000))
            if chance.random() < 0.3:
                sock.shutdown(socket.SHUT_WR)
        sock.close()
    daemon.leak_check("attach_container", "run_session")
    eventually(lambda: daemon.fd_count() <= before, what="as many descriptors as before")
    assert containers.state(daemon, cat)["Running"]
    sock, _ = attach(daemon, cat)
    sock.sendall(b"\nstill there\n")
    data = b""
    while b"still there" not in data:
        data += sock.recv(65536)


def test_a_daemon_that_stops_or_dies_ends_attaches_and_the_next_one_has_them_again(make_daemon):
    daemon = make_daemon()
    container = daemon.docker("run", "-d", "-i", "busybox", "cat").stdout.strip()
    for end in (daemon.stop, daemon.kill9):
        sock, _ = attach(daemon, container)
        sock.sendall(b"x")
        assert sock.recv(9, socket.MSG_WAITALL)[8:] == b"x"
        end()
        assert sock.recv(100) == b""
        daemon.start()
    sock, _ = attach(daemon, container)
    sock.sendall(b"z")
    assert sock.recv(9, socket.MSG_WAITALL)[8:] == b"z"


def test_python_docker_attaches(daemon, cat):
    found = daemon.client().containers.get(cat)
    sock = found.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    sock._sock.sendall(b"hello")
    assert sock.read(13)[8:] == b"hello"
    sock.close()


# -- the same as a WebSocket --


def websocket(daemon, container, query="stream=1&stdin=1&stdout=1&stderr=1", version="1.51"):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(daemon.socket_path)
    sock.sendall(f"GET /v{version}/containers/{container}/attach/ws?{query} HTTP/1.1\r\nHost: x\r\n"
                 "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        more = sock.recv(1)
        assert more, head
        head += more
    return sock, head.decode()


def ws_frame(payload, opcode=2):
    assert len(payload) < 126
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + b"\0\0\0\0" + payload


def test_a_websocket_carries_both_ways_without_dockers_frames(daemon):
    container = create(daemon, "sh", "-c", "cat; echo err >&2; sleep 0.1; echo end")
    sock, head = websocket(daemon, container)
    assert head.startswith("HTTP/1.1 101 ")
    assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    containers.start(daemon, container)
    sock.sendall(ws_frame(b"typed\n", opcode=1))
    assert sock.recv(8, socket.MSG_WAITALL) == b"\x82\x06typed\n"
    sock.sendall(ws_frame(b"", opcode=8))  # the end of what is typed
    rest = read_all(sock)
    assert b"err\n" in rest and b"\x82\x04end\n" in rest and b"\x88" in rest
    daemon.leak_check("attach_websocket")


def test_a_websocket_has_the_log_first(daemon):
    container = create(daemon, "sh", "-c", "echo one; echo two >&2; head -n 1 >&2")
    containers.start(daemon, container)
    eventually(lambda: len(containers.lines(daemon, container)) == 2)
    sock, _ = websocket(daemon, container, "logs=1&stream=1&stdin=1&stdout=1&stderr=1")
    sock.sendall(ws_frame(b"three\n"))
    seen = read_all(sock)
    assert [seen.count(word) for word in (b"one\n", b"two\n", b"three\n")] == [1, 1, 1]
    assert b"\0\0\0" not in seen and seen.index(b"three") > max(seen.index(b"one"), seen.index(b"two"))
    ended, _ = websocket(daemon, container, "logs=1&stdout=1&stderr=1")
    assert b"three\n" in read_all(ended)


def test_a_websocket_has_all_streams_before_1_42(daemon):
    def seen_over(version):
        container = create(daemon, "sh", "-c", "head -n 1; echo err >&2")
        sock, _ = websocket(daemon, container, "stream=1&stdout=1", version)
        containers.start(daemon, container)
        sock.sendall(ws_frame(b"typed\n"))
        if version == "1.42":
            other, _ = attach(daemon, container)
            other.sendall(b"other\n")
        return read_all(sock)

    old, new = seen_over("1.41"), seen_over("1.42")
    assert b"typed\n" in old and b"err\n" in old
    assert b"other\n" in new and b"typed" not in new and b"err" not in new


def test_a_websocket_that_leaves_leaves_nothing(daemon, cat):
    before = daemon.fd_count_at_rest()
    for number in range(20):
        sock, _ = websocket(daemon, cat)
        if number % 2:
            sock.sendall(ws_frame(b"x"))
        sock.close()
    daemon.leak_check("attach_websocket", "run_session")
    eventually(lambda: daemon.fd_count() <= before, what="as many descriptors as before")
    daemon.http.get(f"/containers/{cat}/attach/ws?stream=1").expect(400)

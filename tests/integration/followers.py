"""Many clients that follow one log at once, without one thread each."""

import hashlib
import multiprocessing
import select
import socket
import traceback

from http_client import reset_on_close

READ_BYTES = 1 << 20


def request(path):
    # HTTP/1.0 has no chunks: what follows the header is the log's own bytes up to the connection's end.
    return f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()


def connect(address):
    """Blocks until the listener's queue has room, where a socket with a timeout would fail."""
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def read_head(sock):
    """The response's header, which must be a 200; returns what of the body has come with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(READ_BYTES)
        assert more, f"the connection ended in the header: {data!r}"
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    assert head.split(b" ", 2)[1] == b"200", head
    return body


class Crowd:
    """Silent followers: all have sent their request and have the answer's header."""

    def __init__(self, address, path, count):
        self.sockets = []
        try:
            for _ in range(count):
                self.sockets.append(connect(address))
                self.sockets[-1].sendall(request(path))
            for sock in self.sockets:
                sock.settimeout(30)
                assert read_head(sock) == b""
        except BaseException:
            self.close()
            raise

    def close(self):
        for sock in self.sockets:
            sock.close()
        self.sockets = []

    def reset(self):
        for sock in self.sockets:
            reset_on_close(sock)
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _follow(address, path, count, pipe):
    """In a process of its own: `count` followers to their ends; sends the [(bytes, digest)] of what each one got."""
    try:
        poll = select.epoll()
        clients = {}
        for _ in range(count):
            sock = connect(address)
            sock.sendall(request(path))
            clients[sock.fileno()] = sock
        digests = {}
        sizes = {}
        for number, sock in clients.items():
            body = read_head(sock)
            digests[number] = hashlib.blake2b(body)
            sizes[number] = len(body)
            poll.register(number, select.EPOLLIN)
        pipe.send("following")
        buffer = bytearray(READ_BYTES)
        view = memoryview(buffer)
        results = []
        while clients:
            for number, _ in poll.poll():
                got = clients[number].recv_into(buffer)
                if got:
                    digests[number].update(view[:got])
                    sizes[number] += got
                    continue
                poll.unregister(number)
                clients.pop(number).close()
                results.append((sizes[number], digests[number].hexdigest()))
        pipe.send(results)
    except BaseException:
        pipe.send(traceback.format_exc())


class ReadingCrowd:
    """Followers that read all they get, spread over processes. Returns from its constructor when all of them follow."""

    def __init__(self, address, path, count, processes=2):
        context = multiprocessing.get_context("fork")
        self._running = []
        try:
            for index in range(processes):
                mine, theirs = context.Pipe()
                share = count // processes + (1 if index < count % processes else 0)
                process = context.Process(target=_follow, args=(address, path, share, theirs))
                process.start()
                theirs.close()
                self._running.append((process, mine))
            for _, pipe in self._running:
                self._receive(pipe, 60, "to follow")
        except BaseException:
            self.close()
            raise

    def _receive(self, pipe, timeout, what):
        assert pipe.poll(timeout), f"the followers had {timeout} s {what}"
        message = pipe.recv()
        assert message == "following" or isinstance(message, list), message
        return message

    def results(self, timeout):
        """[(bytes, digest)], one a follower, once the log has ended for all of them."""
        return [result for _, pipe in self._running for result in self._receive(pipe, timeout, "to reach the end")]

    def close(self):
        for process, pipe in self._running:
            process.kill()
            process.join()
            pipe.close()
        self._running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def digest_of(data):
    """What a follower has to have got, as results() gives it."""
    return len(data), hashlib.blake2b(data).hexdigest()

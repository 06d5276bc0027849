"""quolld --gops, asked by a client of gops' protocol: one byte, and the answer up to the connection's end."""

import os
import re
import socket

import pytest

from waiting import eventually


class Client:
    """What the real one does: the port from the file named by the process, then a byte."""

    def __init__(self, directory, pid):
        self.port_file = os.path.join(directory, str(pid))

    def connect(self):
        with open(self.port_file) as file:
            return socket.create_connection(("127.0.0.1", int(file.read())), timeout=60)

    def ask(self, command):
        with self.connect() as sock:
            sock.sendall(bytes([command]))
            pieces = []
            while piece := sock.recv(65536):
                pieces.append(piece)
            return b"".join(pieces)


@pytest.fixture
def gops(make_daemon, tmp_path):
    directory = tmp_path / "config"
    daemon = make_daemon(image=False, arguments=["--gops"], env={"GOPS_CONFIG_DIR": str(directory)})
    yield daemon, Client(directory, daemon.pid)
    daemon.stop()
    assert os.listdir(directory) == []


def test_the_agent_answers_the_commands(gops):
    daemon, client = gops
    stacks = client.ask(0x1).decode()
    assert re.match(r"goroutine \d+ \[running\]:\n", stacks) and "http::Server::accept_loop(...)" in stacks
    stats = re.fullmatch(rb"goroutines: (\d+)\nOS threads: (\d+)\nGOMAXPROCS: (\d+)\nnum CPU: (\d+)\n", client.ask(0x7))
    assert int(stats[1]) > 0 and int(stats[2]) == len(os.listdir(f"/proc/{daemon.pid}/task"))
    assert re.search(rb"^heap-alloc: .*\(\d+ bytes\)$", client.ask(0x3), re.M)
    assert client.ask(0x4).startswith(b"quoll ")
    assert client.ask(0x2) == b"ok"
    assert client.ask(0x5)[:2] == b"\x1f\x8b"  # a heap profile, packed
    assert len(client.ask(0x9)) == os.path.getsize(f"/proc/{daemon.pid}/exe")


def test_clients_that_leave_or_say_nothing_leave_nothing(gops):
    daemon, client = gops
    descriptors = daemon.fd_count_at_rest()
    clients = [client.connect() for _ in range(5)]
    clients[0].sendall(b"\x06")  # a CPU profile, which takes 30 seconds
    clients[1].sendall(b"\x08")  # a trace, which takes 5
    eventually(lambda: daemon.dump().count("GopsAgent::serve_client(...)\n\t") == 5, what="the clients' tasks")
    for sock in clients:
        sock.close()
    eventually(lambda: "GopsAgent::serve_client" not in daemon.dump(), what="the tasks' end")
    assert daemon.fd_count_at_rest() == descriptors


def test_there_is_no_agent_unless_asked_for(make_daemon, tmp_path):
    daemon = make_daemon(image=False, env={"GOPS_CONFIG_DIR": str(tmp_path)})
    assert os.listdir(tmp_path) == [] and "GopsAgent" not in daemon.dump()

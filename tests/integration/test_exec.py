"""exec: what it runs, as whom, what comes back, and what is left when somebody leaves."""

import contextlib
import json
import os
import random
import socket
import time

import pytest

import containers
import leftovers
from waiting import eventually

SLEEPER = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


@pytest.fixture
def container(daemon):
    return containers.run(daemon, SLEEPER)


def create(daemon, container, *command, **fields):
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command), **fields}
    return daemon.http.post(f"/containers/{container}/exec", json=body).expect(201).json()["Id"]


def inspect(daemon, exec_id):
    return daemon.http.get(f"/exec/{exec_id}/json").expect(200).json()


def hijack(daemon, path, body=b"", upgrade=True):
    """A raw socket behind the answer's head, and that head."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(daemon.socket_path)
    headers = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else ""
    sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Type: application/json\r\n"
                 f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    head = b""
    while b"\r\n\r\n" not in head:
        got = sock.recv(1)
        assert got, head
        head += got
    return sock, head.decode()


def start(daemon, exec_id, **body):
    return hijack(daemon, f"/exec/{exec_id}/start", json.dumps(body).encode())


def read_all(sock):
    data = b""
    while got := sock.recv(65536):
        data += got
    return data


def execs_running(daemon):
    return [line for line in leftovers.monitor_processes(daemon.base).values() if "quoll-monitor exec" in line]


# -- what it runs --


def test_output_exit_code_and_record(daemon, container):
    done = daemon.docker("exec", container, "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)
    exec_id = create(daemon, container, "sh", "-c", "exit 3", User="1000:5", Privileged=False)
    assert containers.inspect(daemon, container)["ExecIDs"] == [exec_id]
    sock, head = start(daemon, exec_id)
    assert head.startswith("HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n")
    assert read_all(sock) == b""
    record = inspect(daemon, exec_id)
    assert (record["ExitCode"], record["Running"], record["CanRemove"]) == (3, False, True)
    assert record["ProcessConfig"] == {"entrypoint": "sh", "arguments": ["-c", "exit 3"], "tty": False,
                                       "privileged": False, "user": "1000:5"}
    assert containers.inspect(daemon, container)["ExecIDs"] is None
    eventually(lambda: execs_running(daemon) == [], what="the end of the monitor")


def test_user_directory_environment_and_stdin(daemon):
    container = containers.run(daemon, SLEEPER, "-e", "A=container", "-w", "/tmp")
    script = 'id -u; id -g; pwd; echo "$A $B $HOME"; cat'
    done = daemon.docker("exec", "-i", "-u", "1234:5", "-w", "/bin", "-e", "B=exec", container, "sh", "-c", script,
                         input="typed")
    assert done.stdout == "1234\n5\n/bin\ncontainer exec /\ntyped"
    assert daemon.docker("exec", container, "pwd").stdout == "/tmp\n"
    assert "no matching entries" in daemon.docker("exec", "-u", "nobody-there", container, "true", check=False).stdout


def test_privileged_has_what_the_daemon_may_give(daemon, container):
    bounding = "grep CapBnd /proc/self/status"
    ordinary = int(daemon.docker("exec", container, "sh", "-c", bounding).stdout.split()[1], 16)
    privileged = int(daemon.docker("exec", "--privileged", container, "sh", "-c", bounding).stdout.split()[1], 16)
    assert ordinary & privileged == ordinary and privileged != ordinary


def test_what_cannot_run_has_dockers_codes(daemon, container):
    for command, code in (("no-such-program", 127), ("/etc", 126)):
        done = daemon.docker("exec", container, command, check=False)
        assert done.returncode == code
        assert done.stdout.startswith("OCI runtime exec failed: exec failed: ")


def test_errors(daemon, container):
    http_api = daemon.http
    assert http_api.post("/containers/none/exec", json={"Cmd": ["x"]}).expect(404).json()
    assert http_api.post(f"/containers/{container}/exec", json={}).expect(400).json() == {"message": "No exec command specified"}
    http_api.post("/exec/none/start", json={}).expect(404)
    http_api.get("/exec/none/json").expect(404)
    exec_id = create(daemon, container, "true")
    http_api.post(f"/exec/{exec_id}/resize?h=1&w=1").expect(409)
    http_api.post(f"/exec/{exec_id}/resize?h=x&w=1").expect(400)
    read_all(start(daemon, exec_id)[0])
    http_api.post(f"/exec/{exec_id}/start", json={}).expect(409)
    daemon.docker("stop", "-t", "5", container)
    answer = http_api.post(f"/containers/{container}/exec", json={"Cmd": ["true"]}).expect(409)
    assert answer.json() == {"message": f"container {container} is not running"}


def test_events(daemon, container):
    since = time.time()
    daemon.docker("exec", container, "sh", "-c", "exit 3", check=False)
    lines = daemon.docker("events", "--since", str(since), "--until", str(time.time() + 0.2),
                          "--format", "{{.Action}} {{.Actor.Attributes.exitCode}}").stdout.splitlines()
    assert [line for line in lines if line.startswith("exec_")] == [
        "exec_create: sh -c exit 3 <no value>", "exec_start: sh -c exit 3 <no value>", "exec_die 3"]


# -- who leaves --


def test_a_removed_container_takes_the_records_of_its_execs_along(daemon, container):
    def open_logs():
        paths = []
        for name in os.listdir(f"/proc/{daemon.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed since the listing
                paths.append(os.readlink(f"/proc/{daemon.pid}/fd/{name}"))
        return [path for path in paths if container in path]
    never_started, ended = create(daemon, container, "true"), create(daemon, container, "true")
    running = create(daemon, container, "sleep", "1000")
    read_all(start(daemon, ended)[0])
    sock, _ = start(daemon, running)
    eventually(lambda: inspect(daemon, running)["Running"], what="the exec's process")
    assert open_logs()
    daemon.http.delete(f"/containers/{container}?force=1").expect(204)
    assert read_all(sock) == b""
    for exec_id in (never_started, ended, running):
        daemon.http.get(f"/exec/{exec_id}/json").expect(404)
    eventually(lambda: open_logs() == [], what="no descriptor of its log")


def test_a_detached_exec_goes_on_and_ends_by_itself(daemon, container):
    daemon.docker("exec", "-d", container, "sh", "-c", "echo lost; sleep 0.3; touch /tmp/done")
    assert len(execs_running(daemon)) == 1
    eventually(lambda: execs_running(daemon) == [], what="the end of the exec")
    daemon.docker("exec", container, "test", "-e", "/tmp/done")


def test_an_exec_whose_client_leaves_goes_on_with_its_input_closed(daemon, container):
    script = "cat; echo more and more; sleep 0.2; touch /tmp/went-on"
    exec_id = create(daemon, container, "sh", "-c", script, AttachStdin=True)
    sock, _ = start(daemon, exec_id)
    sock.sendall(b"typed")
    assert sock.recv(8 + 5, socket.MSG_WAITALL)[8:] == b"typed"
    assert inspect(daemon, exec_id)["Running"]
    sock.close()
    daemon.leak_check("start_exec")
    eventually(lambda: inspect(daemon, exec_id)["ExitCode"] == 0, what="the exec's own end")
    daemon.docker("exec", container, "test", "-e", "/tmp/went-on")


def hang_up_somewhere(daemon, container, chance):
    """One client that leaves at a place that `chance` picks: in the request, before the output, in the middle."""
    tty = chance.random() < 0.3
    exec_id = create(daemon, container, "cat", AttachStdin=True, Tty=tty)
    place = chance.random()
    if place < 0.6:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(daemon.socket_path)
        request = f"POST /exec/{exec_id}/start HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n{{\"Detach\":false}}"
        sock.sendall(request[:chance.randrange(1, len(request) + 1)].encode())
    else:
        sock, _ = start(daemon, exec_id)
        if chance.random() < 0.5:
            sock.sendall(b"some text\n")
        if chance.random() < 0.3:
            sock.shutdown(socket.SHUT_WR)
    sock.close()


def test_two_hundred_random_hang_ups_leave_nothing(daemon, container):
    chance = random.Random(6)  # seeded, so that a failure comes again
    before = daemon.fd_count_at_rest()
    for _ in range(200):
        hang_up_somewhere(daemon, container, chance)
    daemon.leak_check("start_exec", "run_session")
    # What was left at a terminal has no end of input, and is the container's own; the others end with theirs. The last
    # may not have come so far yet.
    def all_ended():
        daemon.docker("exec", container, "sh", "-c", "kill $(pidof cat) 2>/dev/null; true")
        return execs_running(daemon) == []
    eventually(all_ended, what="no exec left")
    eventually(lambda: daemon.fd_count() <= before, what="as many descriptors as before")
    daemon.leak_check("mgr::ExecManager::run")


def test_a_daemon_that_dies_leaves_execs_to_themselves(make_daemon):
    daemon = make_daemon()
    container = containers.run(daemon, SLEEPER)
    exec_id = create(daemon, container, "sh", "-c", "cat; touch /tmp/after", AttachStdin=True)
    sock, _ = start(daemon, exec_id)
    daemon.docker("exec", "-d", container, "sh", "-c", "sleep 1; touch /tmp/detached")
    daemon.kill9()
    assert read_all(sock) == b""
    daemon.start()
    daemon.http.get(f"/exec/{exec_id}/json").expect(404)
    assert containers.inspect(daemon, container)["ExecIDs"] is None
    for name in ("after", "detached"):
        eventually(lambda name=name: daemon.docker("exec", container, "test", "-e", f"/tmp/{name}",
                                                   check=False).returncode == 0, what=name)
    eventually(lambda: execs_running(daemon) == [], what="no exec left")


def test_python_docker_uses_it(daemon, container):
    found = daemon.client().containers.get(container)
    result = found.exec_run(["sh", "-c", "echo a; echo b >&2; exit 4"], demux=True)
    assert (result.exit_code, result.output) == (4, (b"a\n", b"b\n"))
    assert found.exec_run("tty", tty=True).output.startswith(b"/dev/pts/")


def test_an_exec_without_an_upgrade_is_a_raw_200(daemon, container):
    sock, head = hijack(daemon, f"/exec/{create(daemon, container, 'echo', 'x')}/start", b"{}", upgrade=False)
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert containers.payload(read_all(sock)) == b"x\n"

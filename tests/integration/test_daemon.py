"""The daemon itself: one on a root, killed at any moment and started again, stopped, its sockets and signals."""

import concurrent.futures
import glob
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

import containers
import leftovers
from daemon import QUOLLD
from waiting import eventually


def quolld(tmp_path, *arguments, root=None, exec_root=None):
    """A quolld that is expected to end by itself; its CompletedProcess."""
    command = [QUOLLD]
    if "--root" not in arguments and "--data-root" not in arguments:
        command += ["--root", str(root or tmp_path / "r")]
    command += ["--exec-root", str(exec_root or tmp_path / "x"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)


# -- one daemon on a root --


def test_a_second_daemon_on_the_same_root_is_refused(make_daemon, tmp_path):
    first = make_daemon()
    container = containers.run(first, containers.SILENT)
    second = quolld(tmp_path, root=first.root)
    assert second.returncode != 0
    assert f"{first.root} is in use by another daemon" in second.stderr
    assert containers.state(first, container)["Running"]
    assert containers.logs(first, containers.finished(first, "echo unharmed")) == b"unharmed\n"


def test_a_second_daemon_on_the_same_exec_root_or_socket_is_refused(make_daemon, tmp_path):
    first = make_daemon()
    second = quolld(tmp_path, exec_root=first.exec_root)
    assert second.returncode != 0 and f"{first.exec_root} is in use by another daemon" in second.stderr
    third = quolld(tmp_path, "--host", f"unix://{first.socket_path}")
    assert third.returncode != 0 and first.socket_path in third.stderr
    fourth = quolld(tmp_path, "--host", f"tcp://127.0.0.1:{first.port}")
    assert fourth.returncode != 0 and "in use" in fourth.stderr
    fifth = quolld(tmp_path, "--pidfile", first.pid_file)
    assert fifth.returncode != 0 and str(first.pid) in fifth.stderr
    assert first.http.get("/_ping").status == 200
    with open(first.pid_file) as file:
        assert int(file.read()) == first.pid


def test_two_daemons_side_by_side_know_nothing_of_each_other(make_daemon):
    one, two = make_daemon(), make_daemon()
    container = containers.run(one, containers.SILENT, name="same")
    containers.run(two, containers.SILENT, name="same")
    two.docker("rm", "-f", "same")
    assert containers.state(one, container)["Running"]


# -- killed and started again --


def written_more(daemon, container, count):
    """Waits until a container that writes numbers has written that many more."""
    def last():
        return int(containers.lines(daemon, container, "stdout=1&tail=1")[0])
    eventually(lambda: containers.lines(daemon, container, "stdout=1&tail=1"), what="the first line")
    wanted = last() + count
    eventually(lambda: last() >= wanted, what="more lines")


def test_a_container_that_writes_while_the_daemon_is_killed_loses_no_line(make_daemon):
    daemon = make_daemon()
    script = "trap 'stop=1' TERM; i=0; while [ -z \"$stop\" ]; do i=$((i + 1)); echo $i; done; echo last; exit 9"
    container = containers.run(daemon, script)
    for _ in range(3):
        written_more(daemon, container, 5000)
        daemon.kill9()
        daemon.start()
    assert containers.state(daemon, container)["Running"]
    follower = daemon.tcp.stream(f"/containers/{container}/logs?stdout=1&follow=1")
    daemon.docker("stop", container)
    assert containers.state(daemon, container)["ExitCode"] == 9
    whole = containers.logs(daemon, container)
    *numbers, last = whole.decode().split()
    assert last == "last" and numbers == [str(number) for number in range(1, len(numbers) + 1)]
    with follower:
        assert containers.payload(follower.read_all()) == whole


def test_a_container_with_rotated_logs_loses_no_line_over_a_kill(make_daemon, tmp_path):
    daemon = make_daemon()
    script = "i=0; while [ ! -e /gate/stop ]; do i=$((i + 1)); echo $i; done; echo last"
    container = containers.run(daemon, script, "--log-opt", "max-size=100k", "--log-opt", "max-file=500",
                               "-v", f"{tmp_path}:/gate")
    for _ in range(3):
        written_more(daemon, container, 5000)
        daemon.kill9()
        daemon.start()
    (tmp_path / "stop").touch()
    containers.wait(daemon, container)
    *numbers, last = containers.logs(daemon, container).decode().split()
    assert last == "last" and numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_what_ended_while_no_daemon_ran_has_its_own_exit_status_and_whole_log(make_daemon, tmp_path):
    daemon = make_daemon()
    gate = ["-v", f"{tmp_path}:/gate"]
    ended = containers.run(daemon, f"{containers.GATE}; seq 1 5000; exit 42", *gate)
    removed = containers.run(daemon, f"{containers.GATE}; exit 1", "--rm", *gate)
    pids = [containers.state(daemon, container)["Pid"] for container in (ended, removed)]
    daemon.kill9()
    (tmp_path / "go").touch()
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), what="the containers' end")
    daemon.start()
    after = containers.state(daemon, ended)
    assert (after["Status"], after["ExitCode"]) == ("exited", 42)
    assert containers.nanoseconds(after["StartedAt"]) <= containers.nanoseconds(after["FinishedAt"])
    assert containers.logs(daemon, ended).split() == [str(number).encode() for number in range(1, 5001)]
    eventually(lambda: daemon.container_ids() == [ended], what="the removal of the --rm container")
    containers.start(daemon, ended)
    assert containers.wait(daemon, ended) == 42


def test_a_running_container_can_be_handled_after_a_kill_as_before(make_daemon):
    daemon = make_daemon()
    graceful = containers.run(daemon, "trap 'exit 3' TERM; echo up; while true; do sleep 0.05; done", name="graceful")
    stubborn = containers.run(daemon, "trap '' TERM; echo up; while true; do sleep 0.05; done", "-t", name="stubborn")
    ends = containers.run(daemon, containers.SILENT, name="ends")
    for container in (graceful, stubborn):
        eventually(lambda: b"up" in daemon.http.get(f"/containers/{container}/logs?stdout=1").body)
    before = {row["Id"]: row for row in daemon.http.get("/containers/json").json()}
    daemon.kill9()
    daemon.start()
    after = {row["Id"]: row for row in daemon.http.get("/containers/json").json()}
    for container in before:
        for key in ("Names", "Image", "ImageID", "Command", "Created", "State"):
            assert before[container][key] == after[container][key]
    daemon.docker("stop", "graceful")
    assert containers.state(daemon, graceful)["ExitCode"] == 3
    daemon.docker("stop", "-t", "1", "stubborn")
    assert containers.state(daemon, stubborn)["ExitCode"] == 137
    with daemon.http.stream(f"/containers/{ends}/wait", method="POST") as waiting:
        daemon.docker("kill", "ends")
        assert json.loads(waiting.read_all()) == {"StatusCode": 137}
    daemon.docker("start", "graceful")
    assert containers.state(daemon, graceful)["Running"]


def storm(daemon, stop):
    """Creates, starts and removes until the daemon is no more; returns what must be there when it is back."""
    created = []
    try:
        while not stop.is_set():
            container = containers.create(daemon, random.choice(["exit 0", containers.SILENT]))
            created.append(container)
            daemon.http.post(f"/containers/{container}/start", timeout=20)
            if random.random() < 0.5:
                created.pop()
                daemon.http.delete(f"/containers/{container}?force=1", timeout=20)
    except (OSError, http.client.HTTPException):
        if not stop.is_set():
            raise
    return created


def test_a_daemon_killed_in_the_middle_of_anything_comes_back_with_everything(make_daemon):
    daemon = make_daemon()
    for round_number in range(10):
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            storms = [pool.submit(storm, daemon, stop) for _ in range(4)]
            # Another moment each round, from the first create on.
            eventually(lambda: daemon.container_ids() or all(future.done() for future in storms))
            stop.wait(0.05 * round_number)
            stop.set()
            daemon.kill9()
            kept = [container for future in storms for container in future.result(60)]
        daemon.start()
        ids = daemon.container_ids()
        # What a create has answered is there, but for what was being removed.
        assert set(kept) <= set(ids), f"round {round_number}"
        for container in ids:
            now = containers.state(daemon, container)
            assert now["Status"] in ("created", "running", "exited"), now
            assert (now["Status"] == "running") == (now["Pid"] > 0)
        daemon.remove_containers()
        assert daemon.container_ids() == []
        eventually(lambda: not leftovers.monitor_processes(daemon.base), what="no monitor")
        for path in ("root/containers", "x/containers", "x/runtime"):
            assert not os.path.exists(f"{daemon.base}/{path}") or os.listdir(f"{daemon.base}/{path}") == []
    assert containers.logs(daemon, containers.finished(daemon, "echo works")) == b"works\n"


# -- stopped --


def test_sigterm_leaves_containers_running(make_daemon):
    daemon = make_daemon()
    container = containers.run(daemon, "while true; do echo on; sleep 0.05; done")
    pid = containers.state(daemon, container)["Pid"]
    assert daemon.stop() == 0
    assert os.path.exists(f"/proc/{pid}")
    assert not os.path.exists(daemon.socket_path) and not os.path.exists(daemon.pid_file)
    daemon.start()
    assert containers.state(daemon, container)["Pid"] == pid


def test_sigterm_stops_containers_where_that_is_configured(make_daemon):
    daemon = make_daemon(arguments=["--no-live-restore"])
    graceful = containers.run(daemon, "trap 'echo bye; exit 6' TERM; echo up; while true; do sleep 0.05; done")
    stubborn = containers.run(daemon, "trap '' TERM; while true; do sleep 0.05; done", "--stop-timeout", "1")
    eventually(lambda: containers.logs(daemon, graceful) == b"up\n")
    assert daemon.stop() == 0
    assert leftovers.monitor_processes(daemon.base) == {}
    daemon.start()
    assert (containers.state(daemon, graceful)["ExitCode"], containers.logs(daemon, graceful)) == (6, b"up\nbye\n")
    assert containers.state(daemon, stubborn)["ExitCode"] == 137


def test_sigterm_ends_the_daemon_although_clients_stay(make_daemon):
    # Far less than --shutdown-timeout: those who only wait are let go at once.
    daemon = make_daemon(arguments=["--shutdown-timeout", "60"])
    container = containers.run(daemon, containers.SILENT)
    with daemon.tcp.stream(f"/containers/{container}/logs?stdout=1&follow=1"), \
            daemon.http.stream(f"/containers/{container}/wait", method="POST"), daemon.http.connect(), daemon.tcp.connect():
        assert daemon.stop(timeout=15) == 0


def test_an_interrupt_ends_it_as_sigterm_does(make_daemon):
    daemon = make_daemon(image=False)
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(20) == 0
    daemon.process = None


# -- sockets and signals --


def test_sighup_reads_the_configuration_again_and_tells_of_it(make_daemon):
    daemon = make_daemon(image=False, config={"live-restore": True})
    since = time.time()

    def reload(text):
        with open(os.path.join(daemon.base, "daemon.json"), "w") as file:
            file.write(text)
        os.kill(daemon.pid, signal.SIGHUP)

    def reloads():
        query = urllib.parse.urlencode({"since": since, "until": time.time(), "filters": '{"daemon":["%s"]}' % identity})
        return [json.loads(line) for line in daemon.http.get(f"/events?{query}").expect(200).text.splitlines()]

    info = daemon.http.get("/info").expect(200).json()
    identity = info["ID"]
    assert info["LiveRestoreEnabled"]
    reload('{"live-restore": false, "shutdown-timeout": 3}')
    [event] = eventually(reloads, what="the event")
    assert (event["Type"], event["Action"], event["Actor"]["ID"]) == ("daemon", "reload", identity)
    assert event["Actor"]["Attributes"] == {"name": info["Name"], "log-level": "debug", "live-restore": "false",
                                            "shutdown-timeout": "3"}
    assert not daemon.http.get("/info").expect(200).json()["LiveRestoreEnabled"]
    # One that is wrong changes nothing, and the daemon goes on.
    for text in ("{", '{"live-restore": true, "no-such-key": 1}', '{"log-level": "loud"}'):
        offset = daemon.log_size()
        reload(text)
        eventually(lambda offset=offset: "the configuration stays as it is: " in daemon.log_tail(offset), what="a complaint")
    assert len(reloads()) == 1 and not daemon.http.get("/info").expect(200).json()["LiveRestoreEnabled"]
    reload("{}")
    eventually(lambda: daemon.http.get("/info").expect(200).json()["LiveRestoreEnabled"], what="the default")


def test_a_stale_socket_and_pid_file_are_replaced(make_daemon):
    daemon = make_daemon(image=False)
    daemon.kill9()
    assert os.path.exists(daemon.socket_path) and os.path.exists(daemon.pid_file)
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(daemon.socket_path)
    daemon.start()
    with open(daemon.pid_file) as file:
        assert int(file.read()) == daemon.pid


def test_a_file_that_is_no_socket_is_not_replaced(tmp_path):
    (tmp_path / "precious").write_text("data")
    done = quolld(tmp_path, "--host", f"unix://{tmp_path}/precious")
    assert done.returncode == 1 and "precious" in done.stderr
    assert (tmp_path / "precious").read_text() == "data"


def test_sigusr1_dumps_into_the_log_and_a_file(make_daemon):
    daemon = make_daemon()
    container = containers.run(daemon, containers.SILENT)
    with daemon.tcp.stream(f"/containers/{container}/logs?stdout=1&follow=1"):
        daemon.leak_check("--expect-alive", "logs_container")
        for count in (1, 2):
            daemon.process.send_signal(signal.SIGUSR1)
            pattern = f"{daemon.exec_root}/goroutine-stacks-*.log"
            eventually(lambda: len(glob.glob(pattern)) == count, what="the dump's file")
        for path in glob.glob(pattern):
            with open(path) as file:
                text = file.read()
            assert text.startswith("goroutine ") and text.endswith("\n") and not text.endswith("\n\n")
            assert "logs_container" in text
        eventually(lambda: daemon.log_tail(lines=100_000).count("=== END goroutine stack dump ===") == 2)
    log = daemon.log_tail(lines=100_000)
    inside = log.split("=== BEGIN goroutine stack dump ===")[1].split("=== END goroutine stack dump ===")[0]
    assert "logs_container(...)" in inside
    assert daemon.http.get("/_ping").status == 200

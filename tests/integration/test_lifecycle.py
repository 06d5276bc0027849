"""A container's life by the docker command, python3-docker and the API: states, exit codes, waits, names, many at once."""

import concurrent.futures
import json
import re
import threading
import time

import docker
import pytest

import containers
from containers import create, finished, inspect, logs, nanoseconds, run, start, state, wait
from waiting import eventually


# -- start, exit codes --


@pytest.mark.parametrize("script, code", [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -KILL $$", 137),
                                          ("kill -TERM $$; sleep 5", 143)])
def test_the_exit_code_is_the_process_s_own(daemon, script, code):
    if "$$" in script:
        # The kernel keeps a namespace's first process from killing itself: a child does.
        script = f"sh -c '{script}'; exit $?"
    container = run(daemon, script)
    assert int(daemon.docker("wait", container).stdout) == code
    after = state(daemon, container)
    assert (after["Status"], after["ExitCode"], after["Pid"], after["Running"]) == ("exited", code, 0, False)
    assert nanoseconds(after["StartedAt"]) <= nanoseconds(after["FinishedAt"])


@pytest.mark.parametrize("signal, code", [("KILL", 137), ("TERM", 143), ("9", 137), ("SIGINT", 130)])
def test_a_killed_container_s_exit_code_is_128_and_the_signal(daemon, signal, code):
    # A process of its own, not the namespace's first, for which the kernel ignores what it does not handle.
    container = run(daemon, "trap 'exit 143' TERM; trap 'exit 130' INT; echo up; while true; do sleep 0.05; done")
    eventually(lambda: logs(daemon, container) == b"up\n")
    daemon.docker("kill", "-s", signal, container)
    assert wait(daemon, container) == code


@pytest.mark.parametrize("arguments, code, words", [
    (["busybox", "no-such-command"], 127, "no-such-command"),
    (["busybox", "/etc/passwd"], 126, "ermission denied"),
    (["busybox", "/etc"], 126, ""),
    (["-w", "relative", "busybox", "true"], 125, "invalid"),
    (["--memory", "1m", "busybox", "true"], 125, "Minimum memory limit allowed is 6MB"),
    (["no-such-image", "true"], 125, "no-such-image"),
])
def test_docker_run_of_what_cannot_run_has_docker_s_exit_status(daemon, arguments, code, words):
    done = daemon.docker("run", "-d", *arguments, check=False)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    for container in daemon.container_ids():
        after = state(daemon, container)
        assert (after["Status"], after["ExitCode"], after["Pid"]) == ("created", code, 0)
        assert after["Error"]


def test_create_start_stop_restart_remove_by_docker(daemon):
    container = daemon.docker("create", "--name", "life", "busybox", "sh", "-c",
                              "trap 'exit 4' TERM; echo up; while true; do sleep 0.05; done").stdout.strip()
    assert state(daemon, container)["Status"] == "created"
    assert daemon.docker("start", "life").stdout.strip() == "life"
    assert state(daemon, container)["Status"] == "running"
    eventually(lambda: logs(daemon, container) == b"up\n")
    daemon.docker("stop", "life")
    assert (state(daemon, container)["Status"], state(daemon, container)["ExitCode"]) == ("exited", 4)
    daemon.docker("restart", "life")
    first = state(daemon, container)
    assert first["Running"]
    eventually(lambda: logs(daemon, container) == b"up\nup\n")
    daemon.docker("restart", "-t", "5", "life")
    second = state(daemon, container)
    assert second["Running"] and second["Pid"] != first["Pid"]
    assert nanoseconds(second["StartedAt"]) > nanoseconds(first["StartedAt"])
    daemon.docker("rm", "-f", "life")
    daemon.http.get(f"/containers/{container}/json").expect(404)


def test_the_same_life_by_python_docker(daemon):
    client = daemon.client()
    container = client.containers.create("busybox", ["sh", "-c", "echo said; exit 6"], name="py", labels={"who": "me"})
    assert container.status == "created" and container.labels == {"who": "me"}
    container.start()
    assert container.wait() == {"StatusCode": 6}
    container.reload()
    assert container.status == "exited" and container.logs() == b"said\n"
    assert [found.name for found in client.containers.list(all=True, filters={"label": "who=me"})] == ["py"]
    container.remove()
    with pytest.raises(docker.errors.NotFound):
        client.containers.get("py")
    # Without detach: created, started, waited for, its output taken, removed.
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
    with pytest.raises(docker.errors.ContainerError) as failed:
        client.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 9"], remove=True)
    assert failed.value.exit_status == 9


def test_what_has_been_done_already_is_304(daemon):
    container = create(daemon, containers.SILENT)
    daemon.http.post(f"/containers/{container}/stop").expect(304)
    start(daemon, container)
    answer = daemon.http.post(f"/containers/{container}/start").expect(304)
    assert answer.body == b""
    daemon.http.post(f"/containers/{container}/stop?t=0").expect(204)
    daemon.http.post(f"/containers/{container}/stop").expect(304)
    daemon.docker("stop", container)  # which the docker command takes as success


def test_only_one_of_many_starts_at_once_wins(daemon):
    container = create(daemon, containers.SILENT)
    gate = threading.Barrier(8)

    def attempt(_):
        gate.wait()
        return daemon.http.post(f"/containers/{container}/start").status

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8))) == [204] + [304] * 7
    assert state(daemon, container)["Running"]


# -- stop, kill, remove --


def test_stop_gives_time_and_then_kills(daemon):
    container = run(daemon, "trap 'echo asked' TERM; echo up; while true; do sleep 0.05; done")
    eventually(lambda: logs(daemon, container) == b"up\n")
    daemon.docker("stop", "-t", "1", container)
    assert state(daemon, container)["ExitCode"] == 137
    assert logs(daemon, container) == b"up\nasked\n"


def test_stop_sends_the_container_s_own_signal(daemon):
    container = run(daemon, "trap 'exit 21' USR1; echo up; while true; do sleep 0.05; done", "--stop-signal", "USR1")
    eventually(lambda: logs(daemon, container) == b"up\n")
    daemon.docker("stop", container)
    assert state(daemon, container)["ExitCode"] == 21


def test_who_waits_is_told_what_went_wrong(daemon):
    container = daemon.http.post("/containers/create", json={"Image": "busybox", "Cmd": ["/no/such"]}).expect(201).json()["Id"]
    daemon.http.post(f"/containers/{container}/start").expect(400)
    error = state(daemon, container)["Error"]
    assert "no such file or directory" in error
    assert daemon.http.post(f"/containers/{container}/wait").expect(200).json() == {"StatusCode": 127, "Error": {"Message": error}}


def test_a_container_s_own_stop_timeout_ends_what_ignores_the_signal(daemon):
    # With the daemon's ten seconds, or without end, it would end by itself.
    container = run(daemon, "trap 'echo term; sleep 8; exit 0' TERM; echo up; while true; do sleep 0.05; done", "--stop-timeout", "1")
    eventually(lambda: logs(daemon, container) == b"up\n")
    begin = containers.seconds_text(time.time_ns())
    daemon.docker("stop", container)
    assert logs(daemon, container) == b"up\nterm\n" and state(daemon, container)["ExitCode"] == 137
    said = daemon.docker("events", "--since", begin, "--until", containers.seconds_text(time.time_ns()), "--filter", f"container={container}",
                         "--format", "{{.Action}} {{.Actor.Attributes.signal}}").stdout.splitlines()
    assert [line.replace("<no value>", "").strip() for line in said] == ["kill 15", "kill 9", "die", "stop"]


def test_a_signal_that_does_not_end_it_leaves_it_running(daemon):
    container = run(daemon, "trap 'echo hup' HUP; echo up; while true; do sleep 0.05; done")
    eventually(lambda: logs(daemon, container) == b"up\n")
    daemon.docker("kill", "-s", "HUP", container)
    eventually(lambda: logs(daemon, container) == b"up\nhup\n")
    assert state(daemon, container)["Running"]


def test_kill_of_what_does_not_run_is_409_and_an_unknown_signal_400(daemon):
    container = create(daemon, containers.SILENT)
    answer = daemon.http.post(f"/containers/{container}/kill").expect(409)
    assert answer.json()["message"].endswith("is not running")
    start(daemon, container)
    assert "NOSUCH" in daemon.http.post(f"/containers/{container}/kill?signal=NOSUCH").expect(400).json()["message"]
    assert state(daemon, container)["Running"]


def test_a_running_container_is_removed_by_force_only(daemon):
    container = run(daemon, containers.SILENT, name="busy")
    answer = daemon.http.delete(f"/containers/{container}").expect(409)
    assert answer.json()["message"].startswith('cannot remove container "/busy": container is running')
    done = daemon.docker("rm", "busy", check=False)
    assert done.returncode == 1 and "cannot remove container" in done.stderr
    assert state(daemon, container)["Running"]
    daemon.docker("rm", "-f", "busy")
    assert daemon.container_ids() == []


@pytest.mark.parametrize("method, path", [
    ("GET", "json"), ("POST", "start"), ("POST", "stop"), ("POST", "kill"), ("POST", "restart"), ("POST", "wait"),
    ("DELETE", "")])
def test_an_unknown_container_is_404_on_every_route(daemon, method, path):
    answer = daemon.http.request(method, f"/containers/nobody/{path}".rstrip("/")).expect(404)
    before = "cannot kill container: nobody: " if path == "kill" else ""
    assert answer.json() == {"message": before + "No such container: nobody"}


def test_auto_removed_containers_leave_nothing(daemon):
    container = run(daemon, "exit 0", "--rm")
    eventually(lambda: daemon.http.get(f"/containers/{container}/json").status == 404)
    failed = daemon.docker("run", "-d", "--rm", "busybox", "no-such-command", check=False)
    assert failed.returncode == 127
    eventually(lambda: daemon.container_ids() == [])


# -- wait --


def test_wait_for_the_next_exit_has_its_header_before_the_start(daemon):
    container = create(daemon, "exit 12")
    with daemon.http.stream(f"/containers/{container}/wait?condition=next-exit", method="POST") as waiting:
        assert waiting.status == 200  # in hand, and nothing has been started
        assert state(daemon, container)["Status"] == "created"
        start(daemon, container)
        assert json.loads(waiting.read_all()) == {"StatusCode": 12}


def test_wait_for_the_removal(daemon):
    container = finished(daemon, "exit 2")
    with daemon.http.stream(f"/containers/{container}/wait?condition=removed", method="POST") as waiting:
        daemon.docker("rm", container)
        assert json.loads(waiting.read_all()) == {"StatusCode": 2}


def test_wait_for_what_has_ended_answers_at_once(daemon):
    assert wait(daemon, finished(daemon, "exit 2")) == 2
    assert wait(daemon, create(daemon)) == 0
    daemon.http.post(f"/containers/{create(daemon)}/wait?condition=blue").expect(400)


def test_many_wait_for_one(daemon):
    container = run(daemon, "trap 'exit 8' TERM; echo up; while true; do sleep 0.05; done")
    eventually(lambda: logs(daemon, container) == b"up\n")
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(wait, daemon, container) for _ in range(10)]
        eventually(lambda: daemon.dump().count("quoll::api::wait_container(") == 10)
        daemon.docker("stop", container)
        assert [future.result(30) for future in waiting] == [8] * 10
    daemon.leak_check("wait_container")


def test_who_waits_and_leaves_is_gone(daemon):
    container = run(daemon, containers.SILENT)
    with daemon.tcp.stream(f"/containers/{container}/wait", method="POST"):
        daemon.leak_check("--expect-alive", "wait_container")
    daemon.leak_check("wait_container")


# -- names and ids --


def test_a_container_is_found_by_name_id_and_unique_prefix(daemon):
    container = create(daemon, name="here")
    for reference in ("here", "/here", "%2Fhere", container, container[:12], container[:4]):
        assert daemon.http.get(f"/containers/{reference}/json").expect(200).json()["Id"] == container
    assert inspect(daemon, "here")["Name"] == "/here"
    for reference in ("here", "/here"):
        assert daemon.docker("inspect", "-f", "{{.Id}}", reference).stdout.strip() == container


def test_a_name_wins_over_an_id_s_prefix_and_an_ambiguous_prefix_is_refused(daemon):
    first = create(daemon)
    named = create(daemon, name=first[:6])
    assert inspect(daemon, first[:6])["Id"] == named
    ids = {first, named}
    while len({found[0] for found in ids}) == len(ids):
        ids.add(create(daemon))  # after 17 at the latest two begin with one digit
    [digit] = {found[0] for found in ids if sum(other[0] == found[0] for other in ids) > 1}
    daemon.http.get(f"/containers/{digit}/json").expect(400)


def test_a_name_in_use_is_a_conflict_in_docker_s_words(daemon):
    container = create(daemon, name="taken")
    answer = daemon.http.post("/containers/create?name=taken", json={"Image": "busybox"}).expect(409)
    assert answer.json()["message"] == (
        f'Conflict. The container name "/taken" is already in use by container "{container}". You have to remove (or '
        "rename) that container to be able to reuse that name.")
    done = daemon.docker("run", "-d", "--name", "taken", "busybox", "true", check=False)
    assert done.returncode == 125 and "is already in use by container" in done.stderr
    daemon.docker("rm", "taken")
    create(daemon, name="taken")


@pytest.mark.parametrize("name", ["a b", "-x", "ä", "a/b", "x"])
def test_bad_names_are_refused(daemon, name):
    client = daemon.client()
    with pytest.raises(docker.errors.APIError) as refused:
        client.containers.create("busybox", "true", name=name)
    assert refused.value.status_code == 400 and "Invalid container name" in refused.value.explanation
    assert daemon.container_ids() == []


def test_a_container_without_a_name_gets_one(daemon):
    names = {inspect(daemon, create(daemon))["Name"] for _ in range(10)}
    assert len(names) == 10
    assert all(re.fullmatch(r"/[a-z]+_[a-z0-9_]+", name) for name in names), names


# -- many at once --


def test_eight_workers_create_and_remove_forty_containers(daemon):
    tasks = daemon.dump().count("goroutine ")

    def life(index):
        container = create(daemon, f"echo {index}; exit {index % 100}", name=f"many{index}")
        start(daemon, container)
        code = wait(daemon, container)
        said = logs(daemon, container)
        daemon.http.delete(f"/containers/{container}").expect(204)
        return code, said

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(life, range(40))) == [(index, f"{index}\n".encode()) for index in range(40)]
    assert daemon.container_ids() == []
    eventually(lambda: daemon.dump().count("goroutine ") <= tasks, what=f"{tasks} tasks again")


def test_start_stop_and_remove_of_one_container_at_once_end_in_an_agreed_state(daemon):
    for _ in range(5):
        container = create(daemon, containers.SILENT)
        calls = [("POST", "start"), ("POST", "stop?t=0"), ("POST", "kill"), ("POST", "restart?t=0"), ("GET", "json"),
                 ("DELETE", "?force=1")]
        gate = threading.Barrier(len(calls))

        def call(what):
            gate.wait()
            method, path = what
            separator = "" if path.startswith("?") else "/"
            return daemon.http.request(method, f"/containers/{container}{separator}{path}").status

        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            statuses = list(pool.map(call, calls))
        assert all(status in (200, 204, 304, 404, 409) for status in statuses), statuses
        assert statuses[-1] == 204
        eventually(lambda: daemon.http.get(f"/containers/{container}/json").status == 404)


def test_a_client_that_leaves_in_the_middle_of_a_start_leaves_a_started_container(daemon):
    container = create(daemon, containers.SILENT)
    sock = daemon.http.connect()
    sock.sendall(f"POST /containers/{container}/start HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    sock.close()
    eventually(lambda: state(daemon, container)["Running"])
    daemon.leak_check("start_container")

"""A container's life by the docker command, python3-docker and the API: states, exit codes, names, and what it sees inside."""

import concurrent.futures
import json
import re
import subprocess
import threading
import time
import urllib.parse

import docker
import pytest

import builds
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


# -- what it sees inside --


def test_a_container_has_what_it_was_given(daemon, tmp_path):
    (tmp_path / "given").write_text("from the host")
    script = """
        echo env:$GREETING:$PATH
        echo user:$(id -u):$(id -g)
        echo pwd:$(pwd)
        echo host:$(hostname):$(cat /etc/hostname)
        echo bind:$(cat /given/given)
        echo x >/given/more; echo write:$?
        touch /closed/x; echo closed:$?
        mount | grep ' /scratch ' | cut -d' ' -f3,5
        echo ppid:$PPID:$$
        cat /proc/self/status | grep -E 'CapEff|NoNewPrivs|Seccomp:'
    """
    (tmp_path / "w").mkdir()
    (tmp_path / "w").chmod(0o777)
    (tmp_path / "w" / "given").write_text("from the host")
    container = finished(daemon, script, "-e", "GREETING=hello world", "-u", "1000:100", "-w", "/tmp", "-h", "named",
                         "-v", f"{tmp_path}/w:/given", "-v", f"{tmp_path}:/closed:ro", "--tmpfs", "/scratch:size=1m",
                         "-l", "colour=blue", "-l", "empty=", "--security-opt", "no-new-privileges")
    out = logs(daemon, container, "stdout=1").decode().splitlines()
    assert out[0] == "env:hello world:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert out[1:8] == ["user:1000:100", "pwd:/tmp", "host:named:named", "bind:from the host", "write:0", "closed:1",
                        "/scratch tmpfs"]
    assert out[8] == "ppid:0:1"
    status = dict(line.split(":\t") for line in out[9:])
    assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert (tmp_path / "w" / "more").read_text() == "x\n"
    config = inspect(daemon, container)["Config"]
    assert config["Labels"] == {"colour": "blue", "empty": ""}
    assert (config["User"], config["WorkingDir"], config["Hostname"]) == ("1000:100", "/tmp", "named")


def test_a_filter_that_is_compiled_already_filters_the_same(make_daemon):
    # crun compiles a profile for the first container of a daemon that has it (decision 6).
    daemon = make_daemon()
    script = "grep ^Seccomp /proc/self/status; unshare -U true 2>/dev/null; echo $?; exec sleep 1000"

    def filtered(*options):
        container = run(daemon, script, *options)
        eventually(lambda: logs(daemon, container).count(b"\n") == 3)
        with open(f"{daemon.exec_root}/containers/{container}/config.json") as file:
            return logs(daemon, container), "run.oci.seccomp_bpf_data" in json.load(file).get("annotations", {})

    runtime = daemon.http.get("/info").expect(200).json()["DefaultRuntime"]
    denied = b"Seccomp:\t2\nSeccomp_filters:\t1\n1\n"
    assert filtered() == (denied, False)
    assert filtered() == (denied, runtime == "crun")
    assert filtered("--security-opt", "seccomp=unconfined") == (b"Seccomp:\t0\nSeccomp_filters:\t0\n0\n", False)


def test_a_container_sees_only_itself(daemon):
    container = finished(daemon, "ls /proc | grep -cE '^[0-9]+$'; ls /sys/class/net; hostname; cat /proc/1/comm; ls /dev | wc -l")
    out = logs(daemon, container, "stdout=1").decode().split()
    assert int(out[0]) <= 5 and out[1:3] == ["eth0", "lo"] and out[3] == container[:12] and out[4] == "sh"
    assert int(out[5]) < 25


def test_a_read_only_root_cannot_be_written(daemon):
    container = finished(daemon, "touch /x || echo no; touch /run/x && echo run", "--read-only", "--tmpfs", "/run")
    assert logs(daemon, container, "stdout=1") == b"no\nrun\n"


def test_what_one_container_writes_no_other_sees_and_it_outlives_a_restart(daemon):
    first = finished(daemon, "cat /note 2>/dev/null; echo kept >>/note")
    start(daemon, first)
    wait(daemon, first)
    assert logs(daemon, first) == b"kept\n"
    assert logs(daemon, finished(daemon, "ls /note", "--rm=false")) == b"ls: /note: No such file or directory\n"


def test_limits_reach_the_kernel(daemon):
    container = run(daemon, "ulimit -n; exec sleep 1000", "--memory", "64m", "--pids-limit", "50", "--cpus", "0.5",
                    "--ulimit", "nofile=100:200")
    eventually(lambda: logs(daemon, container) == b"100\n")
    pid = state(daemon, container)["Pid"]
    with open(f"/proc/{pid}/cgroup") as file:
        paths = {part: path.strip() for _, names, path in (line.split(":", 2) for line in file) for part in names.split(",")}

    def limit(controller, v1, v2):
        if controller in paths:
            return open(f"/sys/fs/cgroup/{controller}{paths[controller]}/{v1}").read().strip()
        return open(f"/sys/fs/cgroup{paths['']}/{v2}").read().strip()

    assert limit("memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert limit("pids", "pids.max", "pids.max") == "50"
    assert limit("cpu", "cpu.cfs_quota_us", "cpu.max") in ("50000", "50000 100000")
    host = inspect(daemon, container)["HostConfig"]
    assert (host["Memory"], host["PidsLimit"], host["NanoCpus"]) == (64 << 20, 50, 500_000_000)


def test_a_process_over_its_memory_limit_is_killed(daemon):
    container = run(daemon, "dd if=/dev/zero of=/dev/null bs=200M count=1", "--memory", "20m", "--memory-swap", "20m")
    assert wait(daemon, container) == 137


# -- what is refused --


@pytest.mark.parametrize("options, name", [
    (["--log-driver", "syslog"], "LogConfig"), (["--gpus", "all"], "DeviceRequests"),
    (["--log-opt", "compress=true"], "compress"), (["--runtime", "other"], "other")])
def test_an_option_that_is_not_supported_is_refused_by_its_name(daemon, options, name):
    done = daemon.docker("run", "-d", *options, "busybox", "true", check=False)
    assert done.returncode == 125, done.stderr
    assert name.lower() in done.stderr.lower()
    assert daemon.container_ids() == []


@pytest.mark.parametrize("body, status", [
    (b"", 400), (b"{", 400), (b"[]", 400), (b'"x"', 400), (b"{}", 400), (b'{"Image": 5}', 400),
    (b'{"Image": "busybox", "Cmd": {"a": 1}}', 400), (b'{"Image": "busybox", "HostConfig": {"Memory": "1g"}}', 400),
    (b'{"Image": "busybox", "HostConfig": {"RestartPolicy": {"Name": "often"}}}', 400),
    (b'{"Image": "busybox", "NoSuchThing": true}', 501), (b'{"Image": "absent"}', 404),
    (b'{"Image": "busybox", "Env": ["=x"]}', 400), (b'{"Image": "../../etc"}', 400),
    (b'{"Image": "busybox", "HostConfig": {"Binds": ["/x:/y:zz"]}}', 400),
    (b'{"Image": "busybox", "Cmd": ["\\ud800"]}', 400), (b"{" * 100_000, 400)])
def test_a_bad_body_of_create_is_refused_and_changes_nothing(daemon, body, status):
    answer = daemon.http.post("/containers/create", body=body, headers={"Content-Type": "application/json"})
    assert answer.status == status, answer
    assert set(answer.json()) == {"message"} and answer.json()["message"]
    assert daemon.container_ids() == []


def test_a_body_of_create_that_is_too_large_is_413_before_it_is_read(daemon):
    with daemon.http.connect() as sock:
        sock.sendall(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
    assert daemon.container_ids() == []


# -- lists --


def test_docker_ps_filters_and_formats(daemon):
    running = run(daemon, containers.SILENT, "-l", "role=web", name="runs")
    ended = finished(daemon, "exit 3", "-l", "role=job", name="ended")
    created = create(daemon, name="made")

    def names(*arguments):
        return daemon.docker("ps", "--format", "{{.Names}}", *arguments).stdout.split()

    assert names() == ["runs"]
    assert names("-a") == ["made", "ended", "runs"]
    assert names("-n", "2") == ["made", "ended"]
    assert names("-a", "--filter", "status=exited") == ["ended"]
    assert names("--filter", "status=created") == ["made"]
    assert names("-a", "--filter", "exited=3") == ["ended"]
    assert names("-a", "--filter", "label=role") == ["ended", "runs"]
    assert names("-a", "--filter", "label=role=web") == ["runs"]
    assert names("-a", "--filter", "name=un") == ["runs"]
    assert names("-a", "--filter", f"id={ended[:20]}") == ["ended"]
    assert names("-a", "--filter", "ancestor=busybox") == ["made", "ended", "runs"]
    assert names("-a", "--filter", "ancestor=other") == []
    assert names("-a", "--filter", "before=ended") == ["runs"]
    assert names("-a", "--filter", "since=ended") == ["made"]
    assert names("-a", "--filter", "name=runs", "--filter", "name=made") == ["made", "runs"]
    columns = "{{.Names}}|{{.ID}}|{{.Image}}|{{.Command}}|{{.Status}}"
    shown = daemon.docker("ps", "-a", "--no-trunc", "--format", columns).stdout
    rows = {row.split("|")[0]: row for row in shown.splitlines()}
    assert re.fullmatch(rf"runs\|{running}\|busybox\|\"sh -c '.*'\"\|Up .+", rows["runs"]), rows["runs"]
    assert re.fullmatch(rf"ended\|{ended}\|busybox\|.*\|Exited \(3\) .+ ago", rows["ended"]), rows["ended"]
    assert rows["made"].endswith("|Created") and created in rows["made"]
    table = daemon.docker("ps").stdout.splitlines()
    assert table[0].split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert daemon.docker("ps", "-q").stdout.strip() == running[:12]


def test_a_container_descends_from_every_image_below_its_own(daemon):
    def names(ancestor):
        return daemon.docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"ancestor={ancestor}").stdout.split()

    base = finished(daemon, "echo > /of-the-middle", name="on-base")
    daemon.docker("commit", base, "middle")
    built = builds.build(daemon, "FROM middle\nLABEL above=1\nRUN echo > /of-the-top\n", t="top:v1").succeeded()
    for image in ("middle", "top:v1"):
        daemon.docker("create", "--name", "on-" + image.partition(":")[0], image, "true")
    assert names("busybox") == ["on-top", "on-middle", "on-base"]
    assert names("middle") == names("middle:latest") == ["on-top", "on-middle"]
    assert names("top:v1") == names(built.id[:12]) == ["on-top"]
    assert names("top") == names("UPPER") == []
    # A name is what it is now, however soon that is.
    daemon.docker("tag", "top:v1", "middle")
    assert names("middle") == ["on-top"]


@pytest.mark.parametrize("filters", ['{"nosuch":["x"]}', "x", '["a"]', '{"status":["blue"]}', '{"name":"x"}'])
def test_a_bad_filter_is_400(daemon, filters):
    daemon.http.get(f"/containers/json?filters={urllib.parse.quote(filters)}").expect(400)


def test_both_forms_of_filters_are_understood(daemon):
    create(daemon, name="one")
    for filters in ('{"name":["one"]}', '{"name":{"one":true}}'):
        [row] = daemon.http.get(f"/containers/json?all=1&filters={urllib.parse.quote(filters)}").expect(200).json()
        assert row["Names"] == ["/one"]


def test_a_list_is_never_older_than_the_answer_before_it(daemon):
    for index in range(20):
        container = create(daemon, name=f"n{index}")
        assert container in daemon.container_ids()
        daemon.http.delete(f"/containers/{container}").expect(204)
        assert container not in daemon.container_ids()


def test_inspect_has_what_clients_read(daemon):
    container = run(daemon, containers.SILENT, name="seen")
    seen = inspect(daemon, container)
    assert re.fullmatch(r"[0-9a-f]{64}", seen["Id"]) and re.fullmatch(r"sha256:[0-9a-f]{64}", seen["Image"])
    assert (seen["Path"], seen["Args"]) == ("sh", ["-c", containers.SILENT])
    assert seen["State"]["Status"] == "running" and seen["State"]["Pid"] > 0
    assert seen["State"]["FinishedAt"] == "0001-01-01T00:00:00Z"
    for moment in (seen["Created"], seen["State"]["StartedAt"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", moment), moment
    assert seen["Config"]["Image"] == "busybox" and seen["Config"]["Tty"] is False
    assert seen["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {}}
    assert seen["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
    assert seen["NetworkSettings"]["Networks"]
    fields = ("{{.Name}} {{.State.Running}} {{.Config.Cmd}} {{.HostConfig.NetworkMode}} {{.RestartCount}} {{.Driver}} "
              "{{len .Mounts}}")
    assert daemon.docker("inspect", "-f", fields, "seen").stdout.startswith("/seen true [sh -c ")
    found = daemon.client().containers.get("seen")
    assert (found.status, found.image.tags, found.id) == ("running", ["busybox:latest"], container)
    assert daemon.docker("port", "seen").stdout == ""


def test_docker_info_and_version_print_without_errors(daemon):
    run(daemon, containers.SILENT)
    info = daemon.docker("info")
    assert "ERROR" not in info.stdout + info.stderr
    assert re.search(r"Running: 1$", info.stdout, re.M) and re.search(r"Server Version: \S+", info.stdout)
    assert daemon.docker("info", "-f", "{{.ContainersRunning}} {{.OSType}} {{.Driver}}").stdout == "1 linux overlay2\n"
    crun, init = (subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout for program in ("crun", "docker-init"))
    release, commit = re.match(r"crun version (\S+)\ncommit: (\S+)\n", crun).groups()
    init_release = re.match(r"tini version (\S+)", init)[1]
    assert re.search(rf"^ runc version: {commit}$", info.stdout, re.M), info.stdout
    assert re.search(r"^ init version: \S+$", info.stdout, re.M) and re.search(r"^ containerd version: N/A$", info.stdout, re.M)
    version = daemon.docker("version")
    assert version.stderr == "" and re.search(r"^Server: Quoll", version.stdout, re.M)
    assert f"\n crun:\n  Version:          {release}\n  GitCommit:        {commit}\n" in version.stdout
    assert f"\n docker-init:\n  Version:          {init_release}\n  GitCommit:" in version.stdout
    assert [each["Name"] for each in daemon.http.get("/version").json()["Components"]] == ["Engine", "crun", "docker-init"]
    assert daemon.docker("version", "-f", "{{.Server.APIVersion}} {{.Server.MinAPIVersion}}").stdout == "1.51 1.24\n"
    client = daemon.client()
    assert client.ping() and client.version()["ApiVersion"] == "1.51"
    assert client.info()["ContainersRunning"] == 1


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

"""A new container: what it has and sees inside, and which bodies of create are refused."""

import json

import pytest

from containers import finished, inspect, logs, run, start, state, wait
from waiting import eventually


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

"""What changes a container that is there: pause, rename, update, prune; and the kernel's kill for memory."""

import json
import os
import time
import urllib.parse

import pytest

import containers
from containers import create, inspect, run, state, wait
from waiting import eventually


def cgroup_file(daemon, container, controller, name):
    """The text of a control file of the container's cgroup, on a host of v1 controllers."""
    pid = state(daemon, container)["Pid"]
    with open(f"/proc/{pid}/cgroup") as file:
        paths = dict(line.rstrip("\n").split(":", 2)[1:] for line in file)
    with open(f"/sys/fs/cgroup/{controller}{paths[controller]}/{name}") as file:
        return file.read().strip()


# -- pause --


def test_a_paused_container_stands_still_and_goes_on(daemon):
    container = run(daemon, "while true; do echo tick; sleep 0.02; done")
    eventually(lambda: containers.logs(daemon, container))
    daemon.docker("pause", container)
    paused = state(daemon, container)
    assert (paused["Status"], paused["Paused"], paused["Running"]) == ("paused", True, True)
    assert "(Paused)" in daemon.docker("ps", "--format", "{{.Status}}").stdout
    before = containers.logs(daemon, container)
    time.sleep(0.2)
    assert containers.logs(daemon, container) == before
    assert "already paused" in daemon.docker("pause", container, check=False).stderr
    daemon.http.post(f"/containers/{container}/start").expect(409)
    daemon.http.delete(f"/containers/{container}").expect(409)
    daemon.docker("unpause", container)
    assert state(daemon, container)["Status"] == "running"
    eventually(lambda: len(containers.logs(daemon, container)) > len(before))
    assert "is not paused" in daemon.docker("unpause", container, check=False).stderr


@pytest.mark.parametrize("end", ["stop", "kill", "rm"])
def test_a_paused_container_can_be_ended(daemon, end):
    container = run(daemon, "trap 'exit 5' TERM; echo up; while true; do sleep 0.02; done")
    eventually(lambda: containers.logs(daemon, container) == b"up\n")
    daemon.docker("pause", container)
    if end == "rm":
        daemon.docker("rm", "-f", container)
        daemon.http.get(f"/containers/{container}/json").expect(404)
    else:
        daemon.docker(end, container)
        assert wait(daemon, container) == (5 if end == "stop" else 137)


def test_a_pause_outlives_the_daemon(make_daemon):
    daemon = make_daemon()
    container = run(daemon, containers.SILENT)
    daemon.docker("pause", container)
    daemon.kill9()
    daemon.start()
    assert state(daemon, container)["Status"] == "paused"
    daemon.docker("unpause", container)
    daemon.docker("kill", container)


def test_what_does_not_run_cannot_be_paused(daemon):
    container = create(daemon)
    assert "is not running" in daemon.http.post(f"/containers/{container}/pause").expect(409).json()["message"]
    daemon.http.post("/containers/nobody/pause").expect(404)


# -- rename --


def test_rename(daemon):
    container = create(daemon, name="first")
    create(daemon, name="taken")
    daemon.docker("rename", "first", "second")
    assert inspect(daemon, "second")["Id"] == container and inspect(daemon, container)["Name"] == "/second"
    daemon.http.get("/containers/first/json").expect(404)
    assert "already in use" in daemon.docker("rename", "second", "taken", check=False).stderr
    daemon.http.post("/containers/second/rename?name=second").expect(400)
    daemon.http.post("/containers/second/rename?name=").expect(400)
    daemon.http.post("/containers/second/rename?name=b@d").expect(400)
    create(daemon, name="first")  # the old name is free


def test_a_new_name_outlives_the_daemon(make_daemon):
    daemon = make_daemon()
    container = create(daemon, name="before")
    daemon.docker("rename", "before", "after")
    daemon.kill9()
    daemon.start()
    assert inspect(daemon, "after")["Id"] == container


# -- update --


def test_update_changes_the_limits_of_a_running_container(daemon):
    container = run(daemon, containers.SILENT, "--memory", "64m")
    assert inspect(daemon, container)["HostConfig"]["MemorySwap"] == 128 << 20
    daemon.docker("update", "--memory", "96m", "--memory-swap", "192m", "--cpu-shares", "512", "--pids-limit", "77",
                  "--cpus", "0.5", container)
    assert cgroup_file(daemon, container, "memory", "memory.limit_in_bytes") == str(96 << 20)
    assert cgroup_file(daemon, container, "cpu", "cpu.shares") == "512"
    assert cgroup_file(daemon, container, "pids", "pids.max") == "77"
    assert cgroup_file(daemon, container, "cpu", "cpu.cfs_quota_us") == "50000"
    host = inspect(daemon, container)["HostConfig"]
    assert (host["Memory"], host["CpuShares"], host["PidsLimit"], host["NanoCpus"]) == (96 << 20, 512, 77, 500_000_000)
    daemon.docker("restart", "-t", "0", container)
    assert cgroup_file(daemon, container, "memory", "memory.limit_in_bytes") == str(96 << 20)


@pytest.mark.parametrize("body, words", [
    ({"Memory": 1024}, "6MB"), ({"Memory": 1 << 30}, "memoryswap"), ({"CpuPeriod": 5}, "period"),
    ({"Memory": "1g"}, "number"), ({"Nonsense": 1}, "Nonsense"), ({"CpusetCpus": "x"}, "cpuset"),
    ({"RestartPolicy": {"Name": "often"}}, "often"), ({"NanoCpus": 10**9}, "CPU Quota has already been set"),
])
def test_what_cannot_be_updated_changes_nothing(daemon, body, words):
    container = create(daemon, Memory=64 << 20, CpuQuota=50_000)
    before = inspect(daemon, container)["HostConfig"]
    answer = daemon.http.post(f"/containers/{container}/update", json=body).expect(400, 501)
    assert words in answer.json()["message"]
    assert inspect(daemon, container)["HostConfig"] == before


# -- prune --


def test_prune_removes_what_does_not_run_as_its_filters_say(daemon):
    running = run(daemon, containers.SILENT)
    kept = containers.finished(daemon, "true", "--label", "keep=yes")
    wanted = [containers.finished(daemon, "head -c 100000 /dev/zero > /file"), create(daemon)]
    filters = urllib.parse.quote(json.dumps({"label!": ["keep"], "until": ["0s"]}))
    answer = daemon.http.post(f"/containers/prune?filters={filters}").expect(200).json()
    assert sorted(answer["ContainersDeleted"]) == sorted(wanted)
    assert answer["SpaceReclaimed"] >= 100000
    assert sorted(daemon.container_ids()) == sorted([running, kept])
    old = urllib.parse.quote(json.dumps({"until": ["1h"]}))
    assert daemon.http.post(f"/containers/prune?filters={old}").expect(200).json()["ContainersDeleted"] is None
    assert kept in daemon.docker("container", "prune", "-f").stdout
    daemon.http.post("/containers/prune?filters=" + urllib.parse.quote('{"color":["red"]}')).expect(400)


# -- memory --


def test_a_kill_for_memory_is_told(daemon):
    since = time.time()
    container = run(daemon, "tail /dev/zero", "--memory", "16m", "--memory-swap", "16m")
    assert wait(daemon, container) == 137
    assert state(daemon, container)["OOMKilled"]
    query = urllib.parse.urlencode({"since": since, "until": time.time() + 0.01, "filters": '{"event":["oom","die"]}'})
    told = [json.loads(line)["Action"] for line in daemon.http.get(f"/events?{query}").text.splitlines()]
    assert told == ["oom", "die"]
    assert not os.path.exists(os.path.join(os.getcwd(), "oom"))
    assert not state(daemon, containers.finished(daemon, "kill -KILL $$"))["OOMKilled"]

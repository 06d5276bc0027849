"""Settings of a new container, each seen from within or in its cgroup."""

import contextlib
import json
import os
import sqlite3

import pytest

import containers
from containers import create, inspect, run, state, wait
from test_changes import cgroup_file
from waiting import eventually


def says(daemon, script, *options):
    """What a container of these options prints."""
    return containers.logs(daemon, containers.finished(daemon, script, *options)).decode()


def test_init_reaps_what_the_program_leaves_behind(daemon):
    container = run(daemon, "(sleep 0.1 &) ; exec sleep 1000", "--init")
    listed = daemon.docker("top", container, "-eo", "pid,args").stdout
    assert "docker-init -- sh" in listed or "docker-init -- sleep" in listed or "/sbin/docker-init" in listed
    eventually(lambda: "defunct" not in daemon.docker("top", container).stdout)
    assert inspect(daemon, container)["HostConfig"]["Init"] is True
    assert says(daemon, "kill -0 1; exit 0", "--init") == ""
    assert wait(daemon, run(daemon, "exit 7", "--init")) == 7


def test_a_container_joins_the_namespaces_of_another(daemon):
    donor = run(daemon, "hostname; echo 127.0.0.9 donated >> /etc/hosts; touch /dev/shm/shared; " + containers.SILENT, "--ipc", "shareable",
                name="donor")
    eventually(lambda: containers.logs(daemon, donor))
    name = containers.logs(daemon, donor).decode()
    pid = state(daemon, donor)["Pid"]

    def namespace(kind):
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    seen = says(daemon, "for kind in net ipc pid; do readlink /proc/self/ns/$kind; done; hostname; cat /etc/hosts; ls /dev/shm",
                "--network", "container:donor", "--ipc", f"container:{donor}", "--pid", "container:donor")
    assert seen.split("\n")[:3] == [namespace("net"), namespace("ipc"), namespace("pid")]
    assert name.strip() in seen and "donated" in seen and seen.endswith("shared\n")
    joined = create(daemon, NetworkMode="container:donor")
    assert inspect(daemon, joined)["HostConfig"]["NetworkMode"] == f"container:{donor}"
    daemon.docker("kill", donor)
    wait(daemon, donor)
    done = daemon.docker("start", joined, check=False)
    assert "non running container" in done.stderr


def test_what_cannot_be_joined_is_refused(daemon):
    private = run(daemon, containers.SILENT)
    done = daemon.docker("run", "-d", "--ipc", f"container:{private}", "busybox", "true", check=False)
    assert "non-shareable IPC" in done.stderr
    assert daemon.docker("run", "-d", "--network", "container:nobody", "busybox", "true", check=False).returncode == 125
    assert daemon.docker("run", "-d", "--pid", "container:", "busybox", "true", check=False).returncode == 125


def test_limits_reach_the_cgroup(daemon):
    device = next(path for path in ("/dev/vda", "/dev/sda", "/dev/loop0", "/dev/vdb") if os.path.exists(path))
    number = os.stat(device).st_rdev
    container = run(daemon, containers.SILENT, "--device-read-bps", f"{device}:1mb", "--device-write-iops", f"{device}:77",
                    "--device-cgroup-rule", "c 42:* rwm", "--memory", "64m", "--memory-swappiness", "10",
                    "--oom-kill-disable", "--cpuset-cpus", "0", "--cpu-period", "50000", "--cpu-quota", "25000")
    at = f"{os.major(number)}:{os.minor(number)}"
    assert cgroup_file(daemon, container, "blkio", "blkio.throttle.read_bps_device") == f"{at} 1048576"
    assert cgroup_file(daemon, container, "blkio", "blkio.throttle.write_iops_device") == f"{at} 77"
    assert "c 42:* rwm" in cgroup_file(daemon, container, "devices", "devices.list")
    assert cgroup_file(daemon, container, "memory", "memory.swappiness") == "10"
    assert "oom_kill_disable 1" in cgroup_file(daemon, container, "memory", "memory.oom_control")
    assert cgroup_file(daemon, container, "cpuset", "cpuset.cpus") == "0"
    host = inspect(daemon, container)["HostConfig"]
    assert host["BlkioDeviceReadBps"] == [{"Path": device, "Rate": 1 << 20}]
    assert (host["MemorySwappiness"], host["OomKillDisable"]) == (10, True)


def test_as_many_processes_as_there_may_be(daemon):
    container = run(daemon, containers.SILENT, "--pids-limit", "-1")
    assert cgroup_file(daemon, container, "pids", "pids.max") == "max"
    daemon.docker("update", "--pids-limit", "50", container)
    assert cgroup_file(daemon, container, "pids", "pids.max") == "50"
    daemon.docker("update", "--pids-limit", "-1", container)
    assert int(cgroup_file(daemon, container, "pids", "pids.max")) >= 4194304  # more than any kernel has


def test_a_cgroup_parent_of_its_own(daemon):
    container = run(daemon, containers.SILENT, "--cgroup-parent", "/quoll-test-parent")
    with open(f"/proc/{state(daemon, container)['Pid']}/cgroup") as file:
        assert f":/quoll-test-parent/{container}\n" in file.read()
    daemon.docker("rm", "-f", container)


def test_annotations_and_other_fields_come_back(daemon):
    body = {"Image": "busybox", "HostConfig": {"Annotations": {"a": "b"}, "KernelMemory": 5 << 20}}
    container = daemon.http.post("/containers/create", json=body).expect(201).json()["Id"]
    assert inspect(daemon, container)["HostConfig"]["Annotations"] == {"a": "b"}
    listed = daemon.http.get("/containers/json?all=1").json()
    assert listed[0]["HostConfig"]["Annotations"] == {"a": "b"}


@pytest.mark.parametrize("host, words", [
    ({"DeviceCgroupRules": ["x 1:1 r"]}, "invalid device cgroup rule"),
    ({"MemorySwappiness": 101}, "0-100"),
    ({"BlkioDeviceReadBps": [{"Path": "/no/such", "Rate": 1}]}, "/no/such"),
    ({"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}, "DeviceRequests"),
    ({"SecurityOpt": ["apparmor=mine"]}, "AppArmor"),
    ({"UsernsMode": "private"}, "USER mode"), ({"Isolation": "hyperv"}, "Isolation"),
    ({"StorageOpt": {"size": "1G"}}, "StorageOpt"), ({"Sysctls": {"net.ipv4.conf.eth0.log_martians": "1"}}, "eth0.log_martians"),
    ({"NetworkMode": "container:nobody"}, "nobody"),
])
def test_what_is_not_supported_is_refused_by_its_name(daemon, host, words):
    answer = daemon.http.post("/containers/create", json={"Image": "busybox", "HostConfig": host}).expect(400, 404, 501)
    assert words in answer.json()["message"]
    assert daemon.container_ids() == []


def test_an_option_of_a_network_s_end_that_would_have_no_effect_is_refused(daemon):
    end = {"DriverOpts": {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}}
    body = {"Image": "busybox", "NetworkingConfig": {"EndpointsConfig": {"bridge": end}}}
    assert "endpoint.sysctls is not supported" in daemon.http.post("/containers/create", json=body).expect(501).json()["message"]
    daemon.docker("network", "create", "ends")
    container = create(daemon)
    daemon.http.post("/networks/ends/connect", json={"Container": container, "EndpointConfig": end}).expect(501)
    daemon.docker("rm", container)
    daemon.docker("network", "rm", "ends")


def stored_otherwise(daemon, container, change):
    """Changes a container's configuration and state on the disk of a daemon that does not run."""
    with contextlib.closing(sqlite3.connect(os.path.join(daemon.root, "state.db"))) as database, database:
        row = database.execute("SELECT config, state FROM containers WHERE id = ?", (container,)).fetchone()
        documents = [json.loads(text) for text in row]
        change(*documents)
        database.execute("UPDATE containers SET config = ?, state = ? WHERE id = ?", (*map(json.dumps, documents), container))


def with_a_sysctl(config, _):
    config["HostConfig"]["Sysctls"] = {"net.ipv4.conf.eth0.log_martians": "1"}


def with_a_cpuset(config, _):
    config["HostConfig"]["CpusetCpus"] = "x"


def with_an_option(_, stored):
    stored["network"]["attachments"][0]["config"]["DriverOpts"] = {"com.docker.network.endpoint.sysctls": "x"}


def with_a_volume(config, _):
    config["HostConfig"]["Mounts"] = [{"Type": "volume", "Target": "/v", "ReadOnly": True}]


def test_what_an_older_daemon_took_and_this_one_does_not_is_refused_at_the_start_by_its_name(make_daemon):
    daemon = make_daemon()
    refused = [(create(daemon), with_a_sysctl, 501, '"net.ipv4.conf.eth0.log_martians" is of one network interface'),
               (create(daemon), with_a_cpuset, 400, "Invalid value x for cpuset cpus"),
               (create(daemon), with_an_option, 501, "com.docker.network.endpoint.sysctls is not supported")]
    harmless, running = create(daemon), run(daemon, containers.SILENT)
    assert daemon.stop() == 0
    for container, change, *_ in [*refused, (harmless, with_a_volume), (running, with_an_option)]:
        stored_otherwise(daemon, container, change)
    daemon.start()
    for container, _, status, words in refused:
        assert words in daemon.http.post(f"/containers/{container}/start").expect(status).json()["message"]
        assert words in state(daemon, container)["Error"]
    daemon.http.post(f"/containers/{harmless}/start").expect(204)
    assert state(daemon, running)["Running"]
    daemon.docker("stop", "-t", "0", running)
    daemon.http.post(f"/containers/{running}/start").expect(501)

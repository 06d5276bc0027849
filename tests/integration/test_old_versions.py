"""Requests of older API versions: they know nothing of later fields, and what they leave out is what it was then."""

import concurrent.futures
import subprocess

import pytest

import containers
from containers import create, inspect, run, start
from test_changes import cgroup_file
from waiting import eventually


def made(daemon, version, body, status=201):
    answer = daemon.http.post(f"/v{version}/containers/create", json={"Image": "busybox", **body}).expect(status).json()
    return answer["message"] if status != 201 else inspect(daemon, answer["Id"])


def host(daemon, version, **fields):
    return made(daemon, version, {"HostConfig": fields})["HostConfig"]


def test_what_came_later_is_not_looked_at(daemon):
    assert (host(daemon, "1.24", AutoRemove=True)["AutoRemove"], host(daemon, "1.25", AutoRemove=True)["AutoRemove"]) == (False, True)
    assert host(daemon, "1.42", Annotations={"a": "b"}).get("Annotations") is None
    assert host(daemon, "1.43", Annotations={"a": "b"})["Annotations"] == {"a": "b"}
    assert host(daemon, "1.41", ConsoleSize=[10, 20])["ConsoleSize"] == [0, 0]
    assert host(daemon, "1.42", ConsoleSize=[10, 20])["ConsoleSize"] == [10, 20]
    check = {"Healthcheck": {"Test": ["CMD", "true"], "StartInterval": 5_000_000_000}}
    assert "StartInterval" not in made(daemon, "1.43", check)["Config"]["Healthcheck"]
    assert made(daemon, "1.44", check)["Config"]["Healthcheck"]["StartInterval"] == 5_000_000_000


def test_ipc_was_shareable_before_1_40(daemon):
    assert host(daemon, "1.39")["IpcMode"] == made(daemon, "1.24", {})["HostConfig"]["IpcMode"] == "shareable"
    assert host(daemon, "1.39", IpcMode="private")["IpcMode"] == host(daemon, "1.40")["IpcMode"] == "private"


def test_options_of_mounts(daemon, tmp_path):
    def mount(version, status=201, **options):
        return made(daemon, version, {"HostConfig": {"Mounts": [{"Type": "bind", "Source": str(tmp_path), "Target": "/m", **options}]}}, status)

    def shown(version, **options):
        return mount(version, **options)["HostConfig"]["Mounts"][0].get("BindOptions")
    assert shown("1.39", BindOptions={"NonRecursive": True}) is None
    assert shown("1.40", BindOptions={"NonRecursive": True}) == {"NonRecursive": True}
    assert shown("1.41", BindOptions={"CreateMountpoint": True}) is None
    assert shown("1.42", BindOptions={"CreateMountpoint": True}) == {"CreateMountpoint": True}
    assert shown("1.41", VolumeOptions={"NoCopy": True}) is None
    assert mount("1.42", 400, VolumeOptions={}) == 'VolumeOptions must not be specified on mount type "bind"'
    assert shown("1.43", ReadOnly=True) == {"ReadOnlyNonRecursive": True}
    assert shown("1.44", ReadOnly=True) is None
    forced = {"ReadOnly": True, "BindOptions": {"ReadOnlyForceRecursive": True}}
    assert mount("1.43", 400, **forced) == "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer"
    mount("1.44", **forced)
    volume = {"HostConfig": {"Mounts": [{"Type": "volume", "Source": "some", "Target": "/m", "VolumeOptions": {"Subpath": "x"}}]}}
    assert made(daemon, "1.44", volume, 400) == "VolumeOptions.Subpath needs API v1.45 or newer"


@pytest.mark.parametrize("version, writable", [("1.43", True), ("1.44", False)])
def test_what_is_mounted_below_a_read_only_bind(daemon, tmp_path, version, writable):
    below = tmp_path / "below"
    below.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", below], check=True)
    try:
        mounts = [{"Type": "bind", "Source": str(tmp_path), "Target": "/m", "ReadOnly": True}]
        body = {"Image": "busybox", "Cmd": ["sh", "-c", "touch /m/x; touch /m/below/x"], "HostConfig": {"Mounts": mounts}}
        container = daemon.http.post(f"/v{version}/containers/create", json=body).expect(201).json()["Id"]
        start(daemon, container)
        containers.wait(daemon, container)
        assert not (tmp_path / "x").exists()
        assert (below / "x").exists() == writable
    finally:
        subprocess.run(["umount", below], check=True)


def test_one_network_at_creation_before_1_44(daemon):
    for name in ("one", "two"):
        daemon.docker("network", "create", name)
    try:
        body = {"HostConfig": {"NetworkMode": "one"}, "NetworkingConfig": {"EndpointsConfig": {"one": {}, "two": {}}}}
        assert made(daemon, "1.43", body, 400) == "Container cannot be created with multiple network endpoints: one, two"
        assert set(made(daemon, "1.44", body)["NetworkSettings"]["Networks"]) == {"one", "two"}
        asked = {"HostConfig": {"NetworkMode": "one"},
                 "NetworkingConfig": {"EndpointsConfig": {"one": {"MacAddress": "02:00:00:00:00:05", "Aliases": ["db"]}}}}
        container = made(daemon, "1.43", asked)
        assert container["NetworkSettings"]["Networks"]["one"]["MacAddress"] == ""
        old = daemon.http.get(f"/v1.44/containers/{container['Id']}/json").expect(200).json()["NetworkSettings"]["Networks"]["one"]
        assert old["Aliases"] == ["db", container["Id"][:12]]
        assert container["NetworkSettings"]["Networks"]["one"]["Aliases"] == ["db"]
    finally:
        daemon.remove_containers()
        daemon.docker("network", "rm", "one", "two")


def test_updates_and_stops(daemon):
    container = run(daemon, "trap 'exit 5' TERM; trap 'exit 6' INT; echo up; " + containers.SILENT)
    path = f"/containers/{container}"

    def pids():
        return inspect(daemon, container)["HostConfig"]["PidsLimit"]
    daemon.http.post(f"/v1.40{path}/update", json={"PidsLimit": 50}).expect(200)
    daemon.http.post(f"/v1.39{path}/update", json={"PidsLimit": 70}).expect(200)
    assert pids() == 50
    daemon.http.post(f"{path}/update", json={"PidsLimit": None}).expect(200)
    assert pids() == 50
    daemon.http.post(f"{path}/update", json={"PidsLimit": 0}).expect(200)
    assert pids() == -1 and cgroup_file(daemon, container, "pids", "pids.max") == "4194304"
    eventually(lambda: containers.logs(daemon, container) == b"up\n")
    daemon.http.post(f"/v1.41{path}/stop?signal=INT").expect(204)
    assert containers.state(daemon, container)["ExitCode"] == 5
    start(daemon, container)
    eventually(lambda: containers.logs(daemon, container) == b"up\nup\n")
    daemon.http.post(f"/v1.42{path}/stop?signal=INT").expect(204)
    assert containers.state(daemon, container)["ExitCode"] == 6


def test_a_start_takes_neither_a_configuration_nor_a_checkpoint(daemon):
    container = create(daemon)
    path = f"/containers/{container}/start"
    assert "non-empty request body" in daemon.http.post(path, json={"Privileged": True}).expect(400).json()["message"]
    assert daemon.http.post(f"{path}?checkpoint=one").expect(501).json() == {"message": "checkpoints are not supported yet"}
    daemon.http.post(path, json={}).expect(204)


def test_a_list_since_and_before_a_container(daemon):
    for name in ("one", "two", "three"):
        create(daemon, name=name)

    def names(query):
        return [row["Names"][0] for row in daemon.http.get(f"/v1.24/containers/json?{query}").expect(200).json()]
    assert (names("since=one"), names("before=two"), names("since=one&before=three")) == (["/three", "/two"], ["/one"], ["/two"])
    daemon.http.get("/v1.24/containers/json?since=nobody").expect(404)


def test_a_wait_before_1_30_knows_no_condition_and_answers_at_the_end(daemon):
    container = create(daemon, "exit 4")
    done = daemon.http.post(f"/v1.29/containers/{container}/wait?condition=no-such").expect(200).json()
    assert done["StatusCode"] == 0  # it does not run
    daemon.http.post(f"/v1.30/containers/{container}/wait?condition=no-such").expect(400)
    running = run(daemon, containers.SILENT)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(daemon.http.post, f"/v1.29/containers/{running}/wait")
        eventually(lambda: daemon.dump("wait_container"), what="who waits")
        daemon.docker("kill", running)
        done = waiting.result().expect(200)
    assert "content-length" in done.headers and done.json() == {"StatusCode": 137}


def test_execs(daemon):
    container = run(daemon, containers.SILENT)

    def says(version):
        body = {"Cmd": ["sh", "-c", "pwd; echo $A"], "AttachStdout": True, "WorkingDir": "/tmp", "Env": ["A=b"]}
        exec_id = daemon.http.post(f"/v{version}/containers/{container}/exec", json=body).expect(201).json()["Id"]
        return containers.payload(daemon.http.post(f"/v{version}/exec/{exec_id}/start", json={}).expect(200).body).decode().split()
    assert (says("1.24"), says("1.25"), says("1.35")) == (["/"], ["/", "b"], ["/tmp", "b"])


def test_what_answers_had(daemon):
    def info(version):
        return daemon.http.get(f"/v{version}/info").expect(200).json()
    assert info("1.49")["BridgeNfIptables"] is False and "BridgeNfIptables" not in info("1.50")
    assert "Expected" in info("1.48")["RuncCommit"] and "Expected" not in info("1.49")["RuncCommit"]
    assert "seccomp" in info("1.24")["SecurityOptions"] and "name=seccomp,profile=builtin" in info("1.25")["SecurityOptions"]
    old, new = (daemon.http.get(f"/v{version}/system/df?type=volume").expect(200).json() for version in ("1.41", "1.42"))
    assert old["BuilderSize"] == 0 and old["Images"][0]["VirtualSize"] == old["Images"][0]["Size"]
    assert set(new) == {"Volumes"}
    assert "VirtualSize" not in daemon.http.get("/v1.44/system/df").expect(200).json()["Images"][0]


def test_the_headers_of_ping(daemon):
    for answer in (daemon.http.get("/v1.24/_ping"), daemon.http.head("/_ping")):
        headers = answer.expect(200).headers
        assert (headers["api-version"], headers["docker-experimental"], headers["ostype"]) == ("1.51", "false", "linux")
        assert (headers["swarm"], headers["builder-version"], headers["pragma"]) == ("inactive", "1", "no-cache")


def test_one_shot_figures_before_1_41_are_two_readings(daemon):
    container = run(daemon, containers.SILENT)

    def first_reading(version):
        answer = daemon.http.get(f"/v{version}/containers/{container}/stats?stream=0&one-shot=1").expect(200).json()
        return answer["preread"]
    assert first_reading("1.40") > "2000" and first_reading("1.41") < "2000"

"""Volumes: by the docker command, python3-docker and the API; in containers; and what is left when they go."""

import json
import os

import pytest

from containers import create, finished, inspect, logs, run, start, wait
from waiting import eventually


@pytest.fixture(name="daemon")
def daemon_without_volumes(daemon):
    """The session's daemon is for all tests: what a test has made goes with it."""
    yield daemon
    daemon.remove_containers()
    for name in names(daemon):
        daemon.http.delete(f"/volumes/{name}").expect(204)


def names(daemon, filters=None):
    query = f"?filters={json.dumps(filters)}".replace(" ", "").replace('"', "%22") if filters else ""
    return [volume["Name"] for volume in daemon.http.get(f"/volumes{query}").expect(200).json()["Volumes"]]


def test_the_docker_command_makes_lists_and_removes(daemon):
    assert daemon.docker("volume", "create", "--label", "a=b", "data").stdout == "data\n"
    assert daemon.docker("volume", "create", "data").stdout == "data\n"
    assert daemon.docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}").stdout == "local data\n"
    volume = json.loads(daemon.docker("volume", "inspect", "data").stdout)[0]
    assert volume["Labels"] == {"a": "b"} and volume["Options"] is None and volume["Scope"] == "local"
    assert volume["Mountpoint"] == f"{daemon.root}/volumes/data/_data" and os.path.isdir(volume["Mountpoint"])
    assert daemon.docker("volume", "rm", "data").stdout == "data\n"
    missing = daemon.docker("volume", "inspect", "data", check=False)
    assert missing.returncode == 1 and "no such volume" in missing.stderr
    assert "no such volume" in daemon.docker("volume", "rm", "data", check=False).stderr
    assert daemon.docker("volume", "rm", "-f", "data").returncode == 0


def test_python_docker_and_filters(daemon):
    client = daemon.client()
    client.volumes.create("one", labels={"tier": "db"})
    client.volumes.create("two")
    assert {volume.name for volume in client.volumes.list()} == {"one", "two"}
    assert names(daemon, {"label": ["tier=db"]}) == ["one"]
    assert names(daemon, {"name": ["tw"]}) == ["two"]
    assert names(daemon, {"dangling": {"true": True}}) == ["one", "two"]
    assert names(daemon, {"driver": ["nfs"]}) == []
    assert daemon.http.get("/volumes?filters={%22colour%22:[%22red%22]}").status == 400


@pytest.mark.parametrize("body, status", [
    ({"Name": "../x"}, 400), ({"Name": "x"}, 400), ({"Name": "ok", "Driver": "nfs"}, 404), ({"Name": 3}, 400),
    ({"Name": "ok", "DriverOpts": {"type": "nfs", "device": ":/x"}}, 501), ({"Name": "ok", "Labels": []}, 400),
    ({"Name": "ok", "DriverOpts": {"no": "such"}}, 400), ([], 400)])
def test_what_is_wrong_is_refused_and_makes_nothing(daemon, body, status):
    assert daemon.http.post("/volumes/create", json=body).expect(status).json()["message"]
    assert names(daemon) == []


def test_prune_takes_what_nobody_uses(daemon):
    daemon.docker("volume", "create", "named")
    daemon.http.post("/volumes/create", json={}).expect(201)
    assert "Deleted Volumes" in daemon.docker("volume", "prune", "-f").stdout
    assert names(daemon) == ["named"]
    assert daemon.http.post("/v1.41/volumes/prune").expect(200).json()["VolumesDeleted"] == ["named"]

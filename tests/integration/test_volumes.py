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


# -- in containers --


def test_a_named_volume_is_shared_and_outlives_its_containers(daemon):
    writer = finished(daemon, "echo kept >/data/file; touch /data/more", "-v", "data:/data")
    assert logs(daemon, finished(daemon, "cat /in/file; touch /in/x || echo no", "-v", "data:/in:ro"), "stdout=1") == b"kept\nno\n"
    mount = inspect(daemon, writer)["Mounts"]
    assert mount == [{"Type": "volume", "Name": "data", "Source": f"{daemon.root}/volumes/data/_data", "Destination": "/data",
                      "Driver": "local", "Mode": "z", "RW": True, "Propagation": ""}]
    refused = daemon.docker("volume", "rm", "data", check=False)
    assert refused.returncode == 1 and f"volume is in use - [" in refused.stderr and writer in refused.stderr
    assert names(daemon, {"dangling": ["true"]}) == []
    daemon.remove_containers()
    assert names(daemon, {"dangling": ["true"]}) == ["data"]
    assert logs(daemon, finished(daemon, "cat /data/file", "-v", "data:/data")) == b"kept\n"


def test_an_empty_volume_gets_what_the_image_has_there(daemon):
    script = "ls -ld /etc/passwd | cut -c1-10; ls -A /v"
    image = logs(daemon, finished(daemon, "ls -A /etc; stat -c %a:%u:%g /etc", "--network", "none"))
    finished(daemon, "true", "-v", "filled:/etc")
    seen = logs(daemon, finished(daemon, "ls -A /v; stat -c %a:%u:%g /v", "-v", "filled:/v", "--network", "none"))
    # Some are no image's but every container's.
    assert set(image.split()) - set(seen.split()) <= {b"hostname", b"hosts", b"resolv.conf", b"mtab"} and seen.split()[-1] == image.split()[-1]
    finished(daemon, "true", "-v", "bare:/etc:nocopy")
    assert logs(daemon, finished(daemon, script, "-v", "bare:/v")).split()[1:] == []
    # What is in a volume already stays alone.
    finished(daemon, "echo mine >/v/mine", "-v", "own:/v")
    finished(daemon, "true", "-v", "own:/etc")
    assert logs(daemon, finished(daemon, "ls /v", "-v", "own:/v")) == b"mine\n"


def test_anonymous_volumes_go_with_their_container_if_asked(daemon):
    kept = finished(daemon, "echo x >/data/x", "-v", "/data")
    name = inspect(daemon, kept)["Mounts"][0]["Name"]
    assert len(name) == 64 and names(daemon) == [name]
    daemon.docker("rm", kept)
    assert names(daemon) == [name]
    daemon.docker("rm", "-v", finished(daemon, "true", "-v", "/data", "-v", "named:/n"))
    assert sorted(names(daemon)) == sorted([name, "named"])
    daemon.docker("run", "--rm", "-d", "-v", "/data", "busybox", "true")
    eventually(lambda: sorted(names(daemon)) == sorted([name, "named"]))


def test_volumes_from_and_every_form_of_mount(daemon, tmp_path):
    (tmp_path / "f").write_text("host\n")
    first = run(daemon, "mkdir /data/sub; echo deep >/data/sub/f; exec sleep 1000", "-v", "data:/data", "-v", f"{tmp_path}:/h",
                name="first")
    eventually(lambda: logs(daemon, finished(daemon, "cat /data/sub/f", "--volumes-from", "first")) == b"deep\n")
    both = finished(daemon, "cat /data/sub/f /h/f; touch /data/x || echo no", "--volumes-from", f"{first}:ro")
    assert logs(daemon, both, "stdout=1") == b"deep\nhost\nno\n"
    part = finished(daemon, "ls /part; touch /part/x || echo no", "--mount", "type=volume,src=data,dst=/part,volume-subpath=sub,readonly")
    assert logs(daemon, part, "stdout=1") == b"f\nno\n"
    new = finished(daemon, "mount | grep -c ' /new '", "--mount", "type=volume,dst=/new,volume-nocopy,volume-label=a=b")
    assert logs(daemon, new) == b"1\n"
    assert names(daemon, {"label": ["a=b"]}) == [inspect(daemon, new)["Mounts"][0]["Name"]]
    missing = daemon.docker("run", "-d", "--mount", "type=volume,src=data,dst=/p,volume-subpath=none", "busybox", "true", check=False)
    assert missing.returncode == 127 and "no such file or directory" in missing.stderr


def test_a_subpath_cannot_lead_out_of_its_volume(daemon):
    finished(daemon, "ln -s / /v/root; ln -s ../../../../etc /v/up", "-v", "evil:/v")
    for part in ("root", "up"):
        container = create(daemon, "ls /p", Mounts=[{"Type": "volume", "Source": "evil", "Target": "/p", "VolumeOptions": {"Subpath": part}}])
        started = daemon.http.post(f"/containers/{container}/start")
        # `root` is the volume's own top, where its two links are; `up` leads to nothing there.
        assert started.status == (204 if part == "root" else 400), started
        if part == "root":
            wait(daemon, container)
            assert logs(daemon, container).split() == [b"root", b"up"]


def test_the_driver_of_all_volumes_of_a_container(daemon):
    assert daemon.docker("run", "--rm", "--volume-driver", "local", "-v", "plain:/v", "busybox", "ls", "/v").stdout == ""
    done = daemon.docker("run", "--rm", "--volume-driver", "no-such", "-v", "other:/v", "busybox", "true", check=False)
    assert done.returncode == 125 and "no-such" in done.stderr and names(daemon) == ["plain"]
    body = {"Image": "busybox", "HostConfig": {"VolumeDriver": "local", "Mounts": [{"Type": "volume", "Source": "plain", "Target": "/v"}]}}

    def warnings(version):
        return daemon.http.post(f"/v{version}/containers/create", json=body).expect(201).json()["Warnings"]
    assert warnings("1.47") == [] and "volume-driver configuration is ignored" in warnings("1.48")[0]


def test_bind_options(daemon, tmp_path):
    (tmp_path / "f").write_text("host\n")
    daemon.docker("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}", "bound")
    assert logs(daemon, finished(daemon, "cat /v/f", "-v", "bound:/v")) == b"host\n"
    daemon.remove_containers()
    daemon.docker("volume", "rm", "bound")
    assert (tmp_path / "f").read_text() == "host\n"


def test_a_container_that_cannot_be_created_keeps_no_volume(daemon):
    refused = daemon.http.post("/containers/create", json={"Image": "busybox", "Volumes": {"/a": {}}, "HostConfig": {
        "Mounts": [{"Type": "volume", "Source": "bad", "Target": "/b", "VolumeOptions": {"DriverConfig": {"Name": "nfs"}}}]}})
    assert refused.status == 400 and names(daemon) == []
    assert daemon.http.post("/containers/create", json={"Image": "busybox", "HostConfig": {"VolumesFrom": ["nobody"]}}).status == 400


def test_a_killed_daemon_finds_its_volumes_and_their_users(make_daemon):
    daemon = make_daemon()
    running = run(daemon, "echo x >/data/x; exec sleep 1000", "-v", "data:/data", "-v", "/anonymous")
    before = names(daemon)
    daemon.kill9()
    daemon.start()
    assert names(daemon) == before
    assert daemon.http.delete("/volumes/data").status == 409
    daemon.docker("rm", "-f", "-v", running)
    assert names(daemon) == ["data"]
    assert logs(daemon, finished(daemon, "cat /data/x", "-v", "data:/data")) == b"x\n"


def test_what_happens_to_volumes_is_told(daemon):
    import time
    since = time.time()
    container = finished(daemon, "true", "-v", "data:/data")
    daemon.docker("rm", container)
    daemon.docker("volume", "rm", "data")
    text = daemon.docker("events", "--since", str(since), "--until", str(time.time() + 0.1), "--filter", "type=volume",
                         "--format", "{{.Action}} {{.Actor.ID}}").stdout
    assert text.split("\n")[:-1] == ["create data", "mount data", "unmount data", "destroy data"]


def test_copies_reach_into_volumes(daemon, tmp_path):
    (tmp_path / "given").write_text("from the host\n")
    stopped = create(daemon, "cat /data/given", Binds=["data:/data"])
    daemon.docker("cp", str(tmp_path / "given"), f"{stopped}:/data/given")
    with open(f"{daemon.root}/volumes/data/_data/given") as file:
        assert file.read() == "from the host\n"
    start(daemon, stopped)
    wait(daemon, stopped)
    assert logs(daemon, stopped) == b"from the host\n"
    running = run(daemon, "exec sleep 1000", "-v", "data:/data")
    daemon.docker("cp", f"{running}:/data/given", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "from the host\n"

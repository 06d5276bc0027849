"""A full disk: what needs room fails, nothing else does, and nothing of it is left."""

import os
import re
import subprocess

import pytest

import containers
from builds import build, context, nothing_goes_on, stored
from waiting import eventually


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with little room; unmounted when the daemon on it has ended."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture
def on_small_disk(small_disk, make_daemon, busybox_tar):
    """(daemon, fill): its root on the small disk; fill() takes what is left, and gives the file to remove."""
    daemon = make_daemon(image=False, start=False)
    daemon.root = str(small_disk)
    daemon.start()
    daemon.load_image(busybox_tar)
    filler = small_disk / "filler"

    def fill():
        with open(filler, "ab", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(b"\0" * 4096)
        return filler

    return daemon, fill


def test_a_full_disk_fails_a_build_and_leaves_nothing_of_it(on_small_disk):
    daemon, fill = on_small_disk
    before = stored(daemon)
    filler = fill()
    for dockerfile, files in (("FROM busybox\n", {"big": os.urandom(1 << 20)}), ("FROM busybox\nRUN true\n", {})):
        answer = daemon.http.post("/build", body=context(dockerfile, files))
        assert re.search("No space left on device|disk is full", answer.text), answer
        assert nothing_goes_on(daemon) and stored(daemon) == before
    filler.unlink()
    # A step that fills it takes nothing but itself away.
    built = build(daemon, "FROM busybox\nRUN cat /dev/zero > /zeros\n", forcerm="1")
    assert built.error["code"] == 1 and "No space left on device" in built.text
    assert nothing_goes_on(daemon) and stored(daemon) == before
    build(daemon, "FROM busybox\nRUN true\n").succeeded()


def test_a_full_disk_fails_what_needs_room_and_nothing_else(on_small_disk, busybox_tar):
    daemon, fill = on_small_disk
    running = containers.run(daemon, containers.SILENT, name="running")
    ended = containers.finished(daemon, "echo kept", name="ended")
    filler = fill()
    for _ in range(2):
        created = daemon.http.post("/containers/create?name=new", json={"Image": "busybox", "Cmd": ["true"]}).expect(500)
        assert re.search("No space left on device|disk is full", created.json()["message"]), created
        loaded = daemon.docker("load", "-i", str(busybox_tar), check=False)
        assert loaded.returncode == 1 and "No space left on device" in loaded.stderr, loaded.stderr
    # Nothing half made is left, and what there was is answered for.
    assert set(daemon.container_ids()) == {running, ended} == set(os.listdir(f"{daemon.root}/containers"))
    assert containers.state(daemon, running)["Running"] and containers.logs(daemon, ended) == b"kept\n"
    assert daemon.http.get("/debug/goroutine").status == 200
    daemon.docker("stop", "-t", "0", "running")
    assert containers.state(daemon, running)["ExitCode"] == 137
    filler.unlink()
    daemon.docker("rm", "ended")
    assert containers.logs(daemon, containers.finished(daemon, "echo room again", name="new")) == b"room again\n"
    daemon.load_image(busybox_tar)
    daemon.docker("start", "running")


def test_what_ends_on_a_full_disk_has_its_exit_status_after_a_kill(on_small_disk, tmp_path):
    daemon, fill = on_small_disk
    gate = tmp_path / "gate"
    gate.mkdir()
    container = containers.run(daemon, f"{containers.GATE}; exit 33", "-v", f"{gate}:/gate")
    removed = containers.run(daemon, f"{containers.GATE}; exit 34", "-v", f"{gate}:/gate", "--rm")
    filler = fill()
    (gate / "go").touch()
    assert containers.wait(daemon, container) == 33
    eventually(lambda: removed not in daemon.container_ids() or not containers.state(daemon, removed)["Running"])
    daemon.kill9()
    filler.unlink()
    daemon.start()
    eventually(lambda: daemon.container_ids() == [container], what="the removal of the --rm container")
    assert (containers.state(daemon, container)["Status"], containers.state(daemon, container)["ExitCode"]) == ("exited", 33)
    daemon.docker("start", container)
    assert containers.wait(daemon, container) == 33

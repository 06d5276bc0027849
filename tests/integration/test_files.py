"""docker cp and export: what arrives, what is refused, and that nothing lands outside.

Each copy is tried on a container that runs and on one that does not: the one's files are in its own mount namespace, the
other's in one that is made for the copy.
"""

import base64
import io
import json
import os
import subprocess
import tarfile
import threading

import pytest

import containers
from waiting import eventually

GO_DIR, GO_SYMLINK, GO_PIPE = 1 << 31, 1 << 27, 1 << 25


def tar_of(*entries):
    """entries: (name, bytes) for a file, or a TarInfo with its content in .content"""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            if isinstance(entry, tuple):
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                archive.addfile(info, io.BytesIO(entry[1]))
            else:
                archive.addfile(entry)
    return file.getvalue()


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def node(name, kind=tarfile.CHRTYPE):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.devmajor, info.devminor = 1, 3
    return info


def put(daemon, container, path, data, query=""):
    return daemon.http.request("PUT", f"/containers/{container}/archive?path={path}{query}", body=data)


def get(daemon, container, path):
    answer = daemon.http.get(f"/containers/{container}/archive?path={path}").expect(200)
    return tarfile.open(fileobj=io.BytesIO(answer.body))


def path_stat(daemon, container, path):
    answer = daemon.http.head(f"/containers/{container}/archive?path={path}").expect(200)
    return json.loads(base64.b64decode(answer.headers["x-docker-container-path-stat"]))


def read(daemon, container, path):
    return get(daemon, container, path).extractfile(os.path.basename(path)).read()


@pytest.fixture(params=["running", "stopped"])
def make(request, daemon):
    """make(script, **host): a container in which the script has run; it goes on running, or has ended."""
    def make_container(script="true", **host):
        if request.param == "stopped":
            container = containers.create(daemon, script, **host)
            containers.start(daemon, container)
            containers.wait(daemon, container)
            return container
        container = containers.create(daemon, f"{script}; touch /ready; {containers.SILENT}", **host)
        containers.start(daemon, container)
        eventually(lambda: daemon.http.head(f"/containers/{container}/archive?path=/ready").status == 200)
        return container
    return make_container


# -- there and back --


def test_a_tree_keeps_content_owners_modes_times_links_and_attributes(daemon, make, tmp_path):
    container = make()
    tree = tmp_path / "tree"
    (tree / "deep/er").mkdir(parents=True)
    (tree / "deep/er/file").write_bytes(b"content" * 100_000)
    os.chown(tree / "deep/er/file", 1234, 2_500_000)
    (tree / "deep/er/file").chmod(0o4751)
    os.utime(tree / "deep/er/file", (1_600_000_000, 1_600_000_000))
    os.setxattr(tree / "deep/er/file", "user.mark", b"\0binary\xff")
    os.link(tree / "deep/er/file", tree / "deep/second")
    (tree / "to-nowhere").symlink_to("/does/not/exist")
    os.mkfifo(tree / "pipe", 0o600)
    (tree / ("ü" * 80 + "x" * 60)).write_bytes(b"")
    tar = subprocess.run(["tar", "-c", "--xattrs", "--format=posix", "-C", tmp_path, "tree"], check=True, capture_output=True)
    put(daemon, container, "/tmp", tar.stdout).expect(200)

    back = get(daemon, container, "/tmp/tree")
    found = {info.name: info for info in back}
    assert set(found) == {"tree", "tree/deep", "tree/deep/er", "tree/deep/er/file", "tree/deep/second", "tree/to-nowhere",
                          "tree/pipe", "tree/" + "ü" * 80 + "x" * 60}
    first, second = sorted((found["tree/deep/er/file"], found["tree/deep/second"]), key=lambda info: info.islnk())
    assert second.islnk() and second.linkname == first.name
    assert back.extractfile(first).read() == b"content" * 100_000
    assert (first.mode, first.uid, first.gid, first.mtime) == (0o4751, 1234, 2_500_000, 1_600_000_000)
    assert first.pax_headers["SCHILY.xattr.user.mark"].encode(errors="surrogateescape") == b"\0binary\xff"
    assert found["tree/to-nowhere"].linkname == "/does/not/exist" and found["tree/pipe"].isfifo()


def test_the_docker_command_copies_both_ways(daemon, make, tmp_path):
    container = make("mkdir /etc/there; ln -s /etc/there /link; echo inside > /etc/there/file")
    (tmp_path / "out").write_text("from the host\n")
    daemon.docker("cp", str(tmp_path / "out"), f"{container}:/link/")
    assert read(daemon, container, "/etc/there/out") == b"from the host\n"
    daemon.docker("cp", f"{container}:/etc/there/file", str(tmp_path / "in"))
    assert (tmp_path / "in").read_text() == "inside\n"
    daemon.docker("cp", f"{container}:/link/.", str(tmp_path / "all"))
    assert sorted(os.listdir(tmp_path / "all")) == ["file", "out"]
    done = daemon.docker("cp", f"{container}:/absent", str(tmp_path), check=False)
    assert done.returncode == 1 and "Could not find the file /absent in container" in done.stderr, done.stderr
    daemon.docker("cp", f"{container}:/etc/there/file", f"{tmp_path}/new/x", check=False)
    assert not (tmp_path / "new").exists()


def test_names_in_the_archive_and_the_stat_are_docker_s(daemon, make):
    container = make("mkdir -p /d/e; echo 12345 > /d/f; ln -s e/../f /d/l; ln -s /d /to-d; mkfifo /d/p; chmod 2750 /d/e")
    assert {info.name for info in get(daemon, container, "/d")} == {"d", "d/e", "d/f", "d/l", "d/p"}
    assert {info.name for info in get(daemon, container, "/d/.")} == {".", "./e", "./f", "./l", "./p"}
    assert [info.name for info in get(daemon, container, "/to-d")] == ["to-d"]
    assert {info.name for info in get(daemon, container, "/to-d/")} == {"to-d", "to-d/e", "to-d/f", "to-d/l", "to-d/p"}
    file = path_stat(daemon, container, "d/f")
    assert (file["name"], file["size"], file["mode"], file["linkTarget"]) == ("f", 6, 0o644, "")
    assert path_stat(daemon, container, "/d/e")["mode"] == GO_DIR | 1 << 22 | 0o750
    assert path_stat(daemon, container, "/d/p")["mode"] == GO_PIPE | 0o644
    linked = path_stat(daemon, container, "/d/l")
    assert linked["mode"] & GO_SYMLINK and linked["linkTarget"] == "/d/f"
    assert path_stat(daemon, container, "/")["name"] == "/"
    for method in ("GET", "HEAD"):
        daemon.http.request(method, f"/containers/{container}/archive?path=/d/none").expect(404)
        daemon.http.request(method, f"/containers/{container}/archive").expect(400)
        daemon.http.request(method, "/containers/absent/archive?path=/").expect(404)


def test_binds_are_copied_to_and_from(daemon, make, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    container = make("echo c > /data/from", Binds=[f"{shared}:/data", f"{shared}:/ro:ro"])
    put(daemon, container, "/data", tar_of(("to", b"h"))).expect(200)
    assert (shared / "to").read_bytes() == b"h" and read(daemon, container, "/data/from") == b"c\n"
    answer = put(daemon, container, "/ro", tar_of(("to", b"no"))).expect(403).json()
    assert answer["message"] == "mounted volume is marked read-only"
    assert (shared / "to").read_bytes() == b"h"


def test_into_a_container_that_was_never_started(daemon, tmp_path):
    container = containers.create(daemon, "cat /etc/put /data/put", Binds=[f"{tmp_path}:/data"])
    put(daemon, container, "/etc", tar_of(("put", b"one "))).expect(200)
    put(daemon, container, "/data", tar_of(("put", b"two"))).expect(200)
    containers.start(daemon, container)
    containers.wait(daemon, container)
    assert containers.logs(daemon, container) == b"one two"


def test_a_read_only_root_takes_nothing(daemon):
    container = containers.create(daemon, containers.SILENT, ReadonlyRootfs=True)
    containers.start(daemon, container)
    answer = put(daemon, container, "/tmp", tar_of(("x", b"x"))).expect(403).json()
    assert answer["message"] == "container rootfs is marked read-only"


def test_kinds_are_kept_where_the_client_says_so(daemon, make):
    container = make("mkdir /tmp/d; touch /tmp/d/x /tmp/f")
    directory = tarfile.TarInfo("f")
    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
    for archive in (tar_of(("d", b"file")), tar_of(directory)):
        answer = put(daemon, container, "/tmp", archive, "&noOverwriteDirNonDir=1").expect(400).json()
        assert answer["message"].startswith("cannot overwrite "), answer
    assert path_stat(daemon, container, "/tmp/d/x")
    put(daemon, container, "/tmp", tar_of(("d", b"file"))).expect(200)
    assert read(daemon, container, "/tmp/d") == b"file"
    assert "not a directory" in put(daemon, container, "/tmp/f", tar_of(("x", b"x"))).expect(400).json()["message"]
    put(daemon, container, "/tmp/none", tar_of(("x", b"x"))).expect(404)


def test_owners_of_the_container_s_user_where_the_client_says_so(daemon):
    body = {"Image": "busybox", "Cmd": ["sh", "-c", containers.SILENT], "User": "daemon"}
    container = daemon.http.post("/containers/create", json=body).expect(201).json()["Id"]
    for query, owner in (("", 0), ("&copyUIDGID=1", 1)):
        put(daemon, container, "/tmp", tar_of(("x", b"x")), query).expect(200)
        assert get(daemon, container, "/tmp/x").getmember("x").uid == owner


# -- attacks: whatever an archive or a container does, the host is not touched --


def test_no_entry_lands_outside(daemon, make, tmp_path):
    """The host has the same names as the entries; none of its files may change."""
    victim = tmp_path / "victim"
    victim.write_text("host")
    container = make(f"mkdir -p {tmp_path} /tmp/d; ln -s / /tmp/d/root; ln -s {tmp_path} /tmp/d/abs")
    for archive in (tar_of(("../" * 20 + f"{victim}"[1:], b"bad")), tar_of((f"a/../../../{victim}", b"bad")),
                    tar_of(link("l", f"../../../..{victim}", tarfile.LNKTYPE))):
        put(daemon, container, "/tmp/d", archive).expect(400)
    # These are names in the container: they land there.
    put(daemon, container, "/tmp/d", tar_of((f"root{victim}", b"in"), ("abs/second", b"in"))).expect(200)
    put(daemon, container, "/tmp/d", tar_of(link("way", "../../../../../../"), (f"way{tmp_path}/third", b"in"))).expect(200)
    put(daemon, container, "/tmp/d", tar_of(link("file", f"{victim}"), ("file", b"replaces the link"))).expect(200)
    assert victim.read_text() == "host" and os.listdir(tmp_path) == ["victim"]
    assert {info.name for info in get(daemon, container, str(tmp_path) + "/.")} == {".", "./victim", "./second", "./third"}


def test_names_of_the_kernel_lead_nowhere(daemon, make):
    container = make("ln -s /proc/1/root /tmp/a; ln -s /proc/self/root/etc /tmp/b; ln -s /proc/self/exe /tmp/c")
    for path in ("/proc/1/root/etc/hostname", "/proc/self/root", "/tmp/a/etc/passwd", "/tmp/b/passwd", "/proc/self/environ"):
        daemon.http.get(f"/containers/{container}/archive?path={path}").expect(404)
        put(daemon, container, path, tar_of(("x", b"x"))).expect(404)
    assert get(daemon, container, "/tmp/c").getmember("c").issym()
    assert [info.name for info in get(daemon, container, "/proc")] == ["proc"]  # and not the whole kernel


def test_devices_and_pipes_are_named_and_never_opened(daemon, make):
    """Opening the pipe for reading would wait for a writer, and for writing would hand the content to a reader."""
    container = make("mkfifo /tmp/pipe; mknod /tmp/zero c 1 5")
    assert get(daemon, container, "/tmp/pipe").getmember("pipe").isfifo()
    zero = get(daemon, container, "/tmp/zero").getmember("zero")
    assert zero.ischr() and (zero.devmajor, zero.devminor) == (1, 5)
    put(daemon, container, "/tmp", tar_of(("pipe", b"file"), ("zero", b"file"), node("null"))).expect(200)
    assert read(daemon, container, "/tmp/pipe") == read(daemon, container, "/tmp/zero") == b"file"
    assert get(daemon, container, "/tmp/null").getmember("null").ischr()


def test_a_link_that_is_swapped_while_copies_go_on_leads_nowhere(daemon, tmp_path):
    """A container turns a directory into a link to the host's name and back as fast as it can."""
    (tmp_path / "victim").write_text("host")
    swap = f"cd /tmp; mkdir -p real{tmp_path}; ln -s {tmp_path} link; ln -s /real{tmp_path} other; touch ready; " \
           "while true; do mv -T link d; mv -T d link; mv -T other d; mv -T d other; done"
    container = containers.run(daemon, swap)
    eventually(lambda: daemon.http.head(f"/containers/{container}/archive?path=/tmp/ready").status == 200)
    archive = tar_of(("victim", b"bad"), link("sub", "/etc"), ("sub/passwd2", b"bad"))
    outcomes = {put(daemon, container, "/tmp/d", archive).status for _ in range(60)}
    outcomes |= {daemon.http.get(f"/containers/{container}/archive?path=/tmp/d/victim").status for _ in range(60)}
    assert outcomes <= {200, 400, 404}
    assert (tmp_path / "victim").read_text() == "host" and not os.path.exists("/etc/passwd2")


# -- bad and broken --


def test_a_bad_archive_says_what_is_wrong(daemon, make):
    container = make()
    good = tar_of(("one", b"1" * 5000), ("two", b"2" * 5000))
    for data in (b"", b"no archive" * 1000, good[:7000]):
        assert "archive" in put(daemon, container, "/tmp", data).expect(400).json()["message"]
    assert read(daemon, container, "/tmp/one") == b"1" * 5000
    daemon.http.get(f"/containers/{container}/archive?path=/tmp/two").expect(404)  # no half of a file


def test_compressed_archives_are_taken(daemon, make):
    container = make()
    for pack in (["gzip"], ["bzip2"], ["xz"], ["zstd", "-q"]):
        data = subprocess.run(pack, input=tar_of((pack[0], b"x")), capture_output=True, check=True).stdout
        put(daemon, container, "/tmp", data).expect(200)
        assert read(daemon, container, f"/tmp/{pack[0]}") == b"x"


@pytest.fixture
def small_directory(tmp_path):
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def test_a_full_disk_is_an_error_and_leaves_no_half_of_a_file(daemon, make, small_directory):
    container = make(Binds=[f"{small_directory}:/small"])
    data = tar_of(("fits", b"x"), ("does-not", b"y" * (4 << 20)))
    assert "No space left on device" in put(daemon, container, "/small", data).expect(500).json()["message"]
    assert os.listdir(small_directory) == ["fits"]
    put(daemon, container, "/small", tar_of(("later", b"x"))).expect(200)


def test_clients_that_leave_midway_leave_nothing(daemon, make):
    container = make("dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null")
    before = daemon.fd_count_at_rest()
    for path in (f"/containers/{container}/archive?path=/big", f"/containers/{container}/export"):
        with daemon.http.stream(path) as stream:
            stream.read_some()
            daemon.leak_check("--expect-alive", "send_chunks")
        daemon.leak_check("send_chunks", "get_archive", "export_container")
    sock = daemon.http.connect()
    head = f"PUT /containers/{container}/archive?path=/tmp HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
    info = tarfile.TarInfo("half")
    info.size = 99_000_000
    sock.sendall(head.encode() + info.tobuf() + b"x" * 3_000_000)
    daemon.leak_check("--expect-alive", "put_archive")
    sock.close()
    daemon.leak_check("put_archive", "extract_from", "feed_body")
    assert daemon.fd_count_at_rest() == before
    daemon.http.head(f"/containers/{container}/archive?path=/tmp/half").expect(404)
    # And it can be started, stopped and removed as ever.
    daemon.http.post(f"/containers/{container}/restart?t=0").expect(204)


def test_a_killed_daemon_leaves_no_mount(make_daemon):
    daemon = make_daemon()
    container = containers.finished(daemon, "dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null")
    stream = daemon.http.stream(f"/containers/{container}/archive?path=/big")
    stream.read_some()
    daemon.kill9()
    stream.close()
    daemon.start()
    containers.start(daemon, container)
    assert containers.wait(daemon, container) == 0


def test_a_copy_from_a_stopped_container_holds_up_its_start_and_no_longer(daemon):
    container = containers.finished(daemon, "dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null")
    stream = daemon.http.stream(f"/containers/{container}/archive?path=/big")
    stream.read_some()
    starting = threading.Thread(target=containers.start, args=(daemon, container))
    starting.start()
    daemon.leak_check("--expect-alive", "start_container")
    stream.close()
    starting.join(30)
    assert not starting.is_alive()


# -- export --


def test_export_is_the_root_without_what_is_mounted(daemon, make, tmp_path):
    (tmp_path / "bound").write_text("x")
    container = make("echo new > /new; rm /etc/group", Binds=[f"{tmp_path}:/data"])
    answer = daemon.http.get(f"/containers/{container}/export").expect(200)
    archive = tarfile.open(fileobj=io.BytesIO(answer.body))
    names = set(archive.getnames())
    assert {"bin/busybox", "etc/passwd", "new", "data", "proc", "sys", "dev/console", ".dockerenv"} <= names
    assert not names & {"etc/group", "data/bound", "proc/1", "sys/kernel"}
    assert archive.extractfile("etc/hosts").read() == b""
    imported = daemon.docker("export", container, text=False).stdout
    assert set(tarfile.open(fileobj=io.BytesIO(imported)).getnames()) >= names - {"ready"}

"""docker build whose client leaves midway: in its upload, while a base image is pulled, while files are copied, in a command.
Nothing of it stays: no task, no descriptor, no container, no file, no layer."""

import concurrent.futures
import glob
import gzip
import os
import signal
import subprocess

import pytest

import leftovers
import oci
from builds import HEADERS, begun, build, context, nothing_goes_on, path, stored, work_files
from hostile_registry import Gate, HostileRegistry
from waiting import eventually

FILES = 100  # of a megabyte each
COPIES = 40  # of all of them: enough that whoever looks for the copying finds it going on, however late


@pytest.fixture
def untouched(daemon):
    """The session's daemon, which is after the test as it was before."""
    images, descriptors = stored(daemon), daemon.fd_count_at_rest()
    yield daemon
    eventually(lambda: nothing_goes_on(daemon), what="the end of the build")
    assert stored(daemon) == images and leftovers.mounts_below(daemon.base) == []
    eventually(lambda: daemon.fd_count() <= descriptors, what="no more descriptors than before")
    daemon.leak_check("build_image", "pull_image", "create_image")


def read_until(stream, words):
    text = b""
    while words not in text:
        more = stream.read_some()
        assert more, text
        text += more


# -- in a command --

@pytest.mark.parametrize("leave", ["close", "reset"])
def test_leaving_ends_the_step_and_removes_it(daemon, leave):
    before = stored(daemon)
    stream, _ = begun(daemon, http=daemon.tcp if leave == "reset" else daemon.http)
    assert len(daemon.container_ids()) == 1
    assert "build_image" in daemon.dump("build_image")
    getattr(stream, leave)()
    eventually(lambda: nothing_goes_on(daemon), what="the end of the build")
    assert stored(daemon) == before
    daemon.leak_check("build_image")


def test_leaving_with_the_docker_command(daemon, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 600\n")
    with daemon.docker_popen("build", str(tmp_path), stderr=subprocess.DEVNULL, text=True) as client:
        for line in client.stdout:
            if line == "begun\n":
                break
        client.send_signal(signal.SIGINT)
        client.stdout.read()
    eventually(lambda: nothing_goes_on(daemon), what="the end of the build")


# -- before and between --

def test_leaving_in_the_middle_of_an_upload(daemon):
    body = context("FROM busybox\n", {"big": os.urandom(3_000_000)})
    sock = daemon.http.connect(10)
    sock.sendall(f"POST {path()} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:2_000_000])
    eventually(lambda: work_files(daemon), what="the context's first files")
    sock.close()
    eventually(lambda: nothing_goes_on(daemon), what="the end of the build")


def test_a_removed_step_fails_its_build(daemon):
    stream, _ = begun(daemon)
    with stream:
        (container,) = daemon.container_ids()
        daemon.http.delete(f"/containers/{container}?force=1").expect(204)
        assert "errorDetail" in stream.read_all().decode()
    eventually(lambda: nothing_goes_on(daemon), what="the end of the build")


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_leaving_while_the_base_image_is_pulled(untouched, leave):
    registry = HostileRegistry()
    try:
        image = oci.OciImage([oci.tar({"file": os.urandom(1_000_000)}), oci.tar({"other": b"other"})])
        name = registry.add("base", "1", image)
        gate = Gate(registry, image)
        http = untouched.tcp if leave == "reset" else untouched.http
        stream = http.stream(path(), "POST", body=context(f"FROM busybox\nFROM {name}\nCOPY . /\n"), headers=HEADERS)
        assert gate.reached.wait(10)
        assert "build_image" in untouched.dump("build_image") and "download_blob" in untouched.dump()
        getattr(stream, leave)()
        eventually(lambda: nothing_goes_on(untouched), what="the end of the build and of its pull")
        assert "download_blob" not in untouched.dump()
    finally:
        registry.close()


def test_a_pull_that_somebody_else_waits_for_outlives_a_build(untouched):
    registry = HostileRegistry()
    try:
        image = oci.OciImage([oci.tar({"file": os.urandom(1_000_000)})])
        name = registry.add("base", "1", image)
        gate = Gate(registry, image)
        stream = untouched.http.stream(path(), "POST", body=context(f"FROM {name}\n"), headers=HEADERS)
        assert gate.reached.wait(10)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            other = pool.submit(untouched.docker, "pull", "-q", name)
            eventually(lambda: untouched.dump("SharedPulls::follow").count("SharedPulls::follow") >= 2, what="two who wait")
            stream.close()
            eventually(lambda: untouched.dump("build_image") == "", what="the end of the build")
            gate.opened.set()
            assert other.result(30).stdout.strip() == name
        assert gate.starts == 1
        untouched.docker("rmi", name)
    finally:
        registry.close()


@pytest.fixture(scope="module")
def many_files():
    copies = "".join(f"COPY many /many{i}\n" for i in range(COPIES))
    return gzip.compress(context(f"FROM busybox\n{copies}RUN false\n",
                                 {"many/": "", **{f"many/{i}": bytes(1 << 20) for i in range(FILES)}}), 1)


def copied(daemon):
    """Directories in the root that a step copies into: the one that it makes."""
    return glob.glob(os.path.join(daemon.root, "layers/work/*/upper/many*"))


@pytest.mark.parametrize("moment", ["digesting", "copying"])
@pytest.mark.parametrize("leave", ["close", "reset"])
def test_leaving_in_the_middle_of_a_copy(untouched, many_files, leave, moment):
    http = untouched.tcp if leave == "reset" else untouched.http
    stream = http.stream(path(), "POST", body=many_files, headers=HEADERS)
    read_until(stream, b"COPY many /many")
    if moment == "copying":
        eventually(lambda: copied(untouched), what="a step that copies")
    getattr(stream, leave)()
    eventually(lambda: nothing_goes_on(untouched), what="the end of the build")


def test_a_kill_in_the_middle_of_a_copy_leaves_what_the_next_start_sweeps(make_daemon, many_files):
    daemon = make_daemon()
    before = stored(daemon)
    stream = daemon.http.stream(path(), "POST", body=many_files, headers=HEADERS)
    eventually(lambda: copied(daemon), what="a step that copies")
    daemon.kill9()
    stream.close()
    daemon.start()
    assert work_files(daemon) == [] and stored(daemon) == before and leftovers.mounts_below(daemon.base) == []
    build(daemon, "FROM busybox\nRUN true\n").succeeded()

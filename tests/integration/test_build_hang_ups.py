"""docker build whose client leaves midway: in its upload, while a base image is pulled, while files are copied, in a command.
Nothing of it stays: no task, no descriptor, no container, no file, no layer."""

import concurrent.futures
import contextlib
import fcntl
import glob
import os
import signal
import subprocess

import pytest

import leftovers
import oci
from builds import HEADERS, begun, build, context, nothing_goes_on, path, stored, work_files
from hostile_registry import Gate, HostileRegistry
from http_client import reset_on_close
from waiting import eventually

FILES = 10  # of a megabyte each


@pytest.fixture
def untouched(daemon):
    """The session's daemon, which is after the test as it was before."""
    images, descriptors = stored(daemon), daemon.fd_count_at_rest()
    yield daemon
    eventually(lambda: nothing_goes_on(daemon), what="the end of the build")
    assert stored(daemon) == images and leftovers.mounts_below(daemon.base) == []
    eventually(lambda: daemon.fd_count() <= descriptors, what="no more descriptors than before")
    daemon.leak_check("build_image", "pull_image", "create_image")


# -- in a command --

@pytest.mark.parametrize("leave", ["close", "reset"])
def test_leaving_ends_the_step_and_removes_it(untouched, leave):
    stream, _ = begun(untouched, http=untouched.tcp if leave == "reset" else untouched.http)
    assert len(untouched.container_ids()) == 1
    assert "build_image" in untouched.dump("build_image")
    getattr(stream, leave)()
    eventually(lambda: nothing_goes_on(untouched), what="the end of the build")


def test_leaving_with_the_docker_command(daemon, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 600\n")
    with daemon.docker_popen("build", str(tmp_path), stderr=subprocess.DEVNULL, text=True) as client:
        assert "begun\n" in client.stdout  # the line, as soon as it comes
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


class HeldFile:
    """A file of a build's context whose next reader waits in open(2) until it is let go: a lease, which the kernel breaks
    after 45 s by itself."""

    def __init__(self, daemon, name):
        (path,) = eventually(lambda: glob.glob(os.path.join(daemon.root, "*/work/**", name), recursive=True), what=name)
        signal.signal(signal.SIGIO, lambda *_: None)  # the kernel's word that somebody waits
        self.file = os.open(path, os.O_RDWR)
        eventually(self.hold, what=f"{name} to be written")

    def hold(self):
        try:
            fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except BlockingIOError:  # somebody has it open
            return False
        return True

    def reached(self):
        return fcntl.fcntl(self.file, fcntl.F_GETLEASE) != fcntl.F_WRLCK

    def let_go(self):
        fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def close(self):
        os.close(self.file)


def copied(daemon):
    """How many of the files lie in the root that a step copies into."""
    return sum(len(os.listdir(found)) for found in glob.glob(os.path.join(daemon.root, "layers/work/*/upper/many")))


@contextlib.contextmanager
def held_copy(daemon, http, moment):
    """The connection of a build that stands still in the middle of its COPY, until the end of the block."""
    files = {f"many/{number}": bytes(1 << 20) for number in range(FILES)}
    body = context("FROM busybox\nCOPY many /many\nRUN false\n", files)
    with http.connect() as sock, contextlib.ExitStack() as stack:
        sock.sendall(f"POST {path()} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:-1])
        middle, last = (stack.enter_context(contextlib.closing(HeldFile(daemon, f"many/{number}"))) for number in (FILES // 2, FILES - 1))
        sock.sendall(body[-1:])
        eventually(middle.reached, what="the digest of what is to be copied")
        if moment == "copying":
            middle.let_go()
            eventually(last.reached, what="the end of the digest")
            eventually(middle.hold)
            last.let_go()
            eventually(middle.reached, what="the copy")
            assert 0 < copied(daemon) < FILES
        yield sock


@pytest.mark.parametrize("moment", ["digesting", "copying"])
@pytest.mark.parametrize("leave", ["close", "reset"])
def test_leaving_in_the_middle_of_a_copy(untouched, leave, moment):
    with held_copy(untouched, untouched.tcp if leave == "reset" else untouched.http, moment) as sock:
        assert "build_image" in untouched.dump("build_image")
        if leave == "reset":
            reset_on_close(sock)
        sock.close()
    eventually(lambda: nothing_goes_on(untouched), what="the end of the build")


def test_a_kill_in_the_middle_of_a_copy_leaves_what_the_next_start_sweeps(make_daemon):
    daemon = make_daemon()
    before = stored(daemon)
    with held_copy(daemon, daemon.http, "copying"):
        daemon.kill9()
    daemon.start()
    assert work_files(daemon) == [] and stored(daemon) == before and leftovers.mounts_below(daemon.base) == []
    build(daemon, "FROM busybox\nRUN true\n").succeeded()

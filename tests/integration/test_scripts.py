"""The scripts that tests and people lean on: leak-check against known dumps, the image that make-busybox-image makes."""

import contextlib
import hashlib
import http.server
import io
import json
import os
import subprocess
import tarfile
import threading

import pytest

from daemon import TREE

DUMPER = "goroutine 1 [running]:\nquoll::debug::dump(...)\n\tdebug/dump.cpp:1\n"
FOLLOWER = """goroutine 7 [chan receive, cancelled 2s ago]:
quoll::mgr::LogHub::next(...)
\tmgr/log/hub.cpp:3 +0x1
quoll::api::logs_container(...)
\tapi/logs_handler.cpp:9
created by quoll::http::Server::accept in goroutine 3
\thttp/server.cpp:8
"""


@contextlib.contextmanager
def serving(*answers, status=200):
    """A server that gives these dumps one after the other, and the last one for good. Yields (url, list of requests)."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = answers[min(len(asked), len(answers)) - 1].encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def leak_check(url, *arguments):
    return subprocess.run([os.path.join(TREE, "scripts/leak-check"), "--url", url, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("function", ["logs_container", "quoll::api::logs_container", "LogHub::next", "Server::accept"])
def test_a_living_function_fails_with_its_whole_block(function):
    with serving(f"{DUMPER}\n{FOLLOWER}") as (url, _):
        done = leak_check(url, "--timeout", "0.1", function)
        assert (done.returncode, done.stdout) == (1, FOLLOWER + "\n")
        assert function in done.stderr
        assert leak_check(url, "--expect-alive", function).returncode == 0


@pytest.mark.parametrize("function", ["container", "logs", "logs_container_of", "logs_handler", "cancelled", "LogHub::nex"])
def test_parts_of_names_places_and_states_are_no_functions(function):
    with serving(f"{DUMPER}\n{FOLLOWER}") as (url, _):
        assert leak_check(url, "--timeout", "0", function).returncode == 0
        done = leak_check(url, "--timeout", "0.1", "--expect-alive", "dump", function)
        assert done.returncode == 1
        assert function in done.stderr and "dump" not in done.stderr


def test_it_looks_again_until_the_function_has_ended():
    alive = f"{DUMPER}\n{FOLLOWER}"
    with serving(alive, alive, alive, DUMPER) as (url, asked):
        assert leak_check(url, "logs_container").returncode == 0
        assert asked == ["/debug/goroutine"] * 4


@pytest.mark.parametrize("answer, status", [("<html>", 200), ("", 200), (DUMPER, 500)])
def test_what_is_no_dump_proves_nothing(answer, status):
    with serving(answer, status=status) as (url, _):
        assert leak_check(url, "logs_container").returncode == 2


@pytest.mark.parametrize("arguments", [(), ("--timeout", "soon", "f"), ("--zork", "f"), ("--unix", "/nowhere", "f")])
def test_wrong_use_and_silence_are_told_apart_from_a_leak(arguments):
    assert leak_check("http://127.0.0.1:1", *arguments).returncode == 2


def test_the_busybox_image_is_reproducible_and_consistent(busybox_tar, tmp_path):
    again = tmp_path / "again.tar"
    subprocess.run([os.path.join(TREE, "scripts/make-busybox-image"), again, "busybox:latest"], check=True)
    assert again.read_bytes() == busybox_tar.read_bytes()
    with tarfile.open(busybox_tar) as image:
        [manifest] = json.load(image.extractfile("manifest.json"))
        assert manifest["RepoTags"] == ["busybox:latest"]
        config_bytes = image.extractfile(manifest["Config"]).read()
        assert manifest["Config"] == hashlib.sha256(config_bytes).hexdigest() + ".json"
        config = json.loads(config_bytes)
        assert config["config"]["Cmd"] == ["sh"]
        layers = [image.extractfile(name).read() for name in manifest["Layers"]]
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    with tarfile.open(fileobj=io.BytesIO(layers[0])) as layer:
        assert layer.getmember("bin/sh").linkname == "busybox"
        assert layer.getmember("tmp").mode == 0o1777
        assert {(member.uid, member.gid) for member in layer} == {(0, 0)}

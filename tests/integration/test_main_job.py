"""The main job: run a container, follow its log, hang up, and prove that nothing is left.

In the issue's own three steps, with the control: a check that could never fail proves nothing, so the handler must be in
the dump while the client is there.
"""

import re
import subprocess

import pytest

import containers
from waiting import eventually

GONE_SECONDS_MAX = 5
LOGS = "/v1.24/containers/bg/logs?stdout=1&follow=1"
DUMP = "/debug/pprof/goroutine?debug=2"
OTHER_DUMPS = ["/debug/goroutine", "/debug/goroutine?debug=2", "/debug/goroutine?match=logs_container"]


@pytest.fixture
def bg(daemon):
    daemon.docker("run", "-d", "--name", "bg", "busybox", "sh", "-c", containers.SILENT)


def curl(daemon, transport, path, *options):
    if transport == "unix":
        return ["curl", "--no-buffer", "-sS", *options, "--unix-socket", daemon.socket_path, f"http://localhost{path}"]
    return ["curl", "--no-buffer", "-sS", *options, daemon.url(path)]


def grep_logs_container(daemon, transport, dump):
    """curl -s DUMP | grep -A 10 logs_container, as it is typed at night."""
    text = subprocess.run(curl(daemon, transport, dump, "--fail"), check=True, capture_output=True, text=True).stdout
    assert text.startswith("goroutine ") or (text == "" and "match=" in dump), text[:200]
    return subprocess.run(["grep", "-A", "10", "logs_container"], input=text, capture_output=True, text=True).stdout


def follower_block(daemon):
    """The one block of the dump that follows the log."""
    blocks = [block for block in daemon.dump().split("\n\n") if "logs_container" in block]
    assert len(blocks) == 1, f"{len(blocks)} tasks with logs_container"
    # At first it looks for what is there already, on the pool; then it waits for more.
    assert re.match(r"goroutine \d+ \[chan receive[],]", blocks[0]), blocks[0]
    return blocks[0]


@pytest.mark.parametrize("transport, dump, seconds", [
    ("tcp", DUMP, "3"), ("unix", DUMP, "3"), *(("tcp", dump, "1") for dump in OTHER_DUMPS)])
def test_the_three_steps(daemon, bg, transport, dump, seconds):
    follower = subprocess.Popen(curl(daemon, transport, LOGS, "-m", seconds), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with follower:
        # The control: while curl runs, the handler's stack is there.
        eventually(lambda: grep_logs_container(daemon, transport, dump), what="the handler in the dump while curl follows")
        error = follower.stderr.read().decode()
        assert follower.wait() == 28, error  # curl's own time was up: the server did not end the answer
    eventually(lambda: grep_logs_container(daemon, transport, dump) == "", GONE_SECONDS_MAX, "no logs_container in the dump")


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_the_stack_names_the_wait_the_handler_and_who_made_the_task(daemon, bg, transport):
    client = daemon.tcp if transport == "tcp" else daemon.http
    with client.stream(LOGS):
        block = eventually(lambda: follower_block(daemon), what="the follower's stack")
        functions = [line for line in block.rstrip("\n").split("\n")[1:] if not line.startswith("\t")]
        order = ["LogFollower::next(...)", "logs_container(...)", "serve_connection(...)"]
        places = [next((i for i, line in enumerate(functions) if line.endswith(name)), None) for name in order]
        assert None not in places and places == sorted(places), block
        assert re.match(r"created by \S*accept_loop\S* in goroutine \d+$", functions[-1]), functions[-1]
        # Each function has its place, the handler its own file.
        assert re.search(r"logs_container\(\.\.\.\)\n\t\S*api/logs\.cpp:\d+", block), block
        assert "main.cpp" not in block


def test_the_creator_is_the_accepting_task_itself(daemon, bg):
    with daemon.tcp.stream(LOGS):
        block = eventually(lambda: follower_block(daemon))
        creator = re.search(r"created by \S+ in goroutine (\d+)\n", block)[1]
        [accepting] = [block for block in daemon.dump().split("\n\n") if block.startswith(f"goroutine {creator} [")]
        assert "accept_loop" in accepting


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_a_follower_that_has_left_is_gone_by_leak_check(daemon, bg, transport):
    client = daemon.tcp if transport == "tcp" else daemon.http
    with client.stream(LOGS) as stream:
        assert stream.status == 200
        daemon.leak_check("--expect-alive", "logs_container", "serve_connection")
        found = daemon.leak_check("--timeout", "0.2", "logs_container", check=False)
        assert found.returncode == 1
        assert "chan receive" in found.stdout and "LogFollower::next" in found.stdout
    daemon.leak_check("--timeout", str(GONE_SECONDS_MAX), "logs_container", "LogFollower")


def test_docker_logs_follow_leaves_nothing_when_it_is_killed(daemon, bg):
    follower = daemon.docker_popen("logs", "-f", "bg")
    try:
        daemon.leak_check("--expect-alive", "logs_container")
        follower.kill()
        daemon.leak_check("logs_container")
    finally:
        follower.kill()
        follower.communicate()


def test_python_docker_follow_leaves_nothing_when_it_is_closed(daemon, bg):
    stream = daemon.client().containers.get("bg").logs(stream=True, follow=True)
    daemon.leak_check("--expect-alive", "logs_container")
    stream.close()
    daemon.leak_check("logs_container")


@pytest.mark.parametrize("dump", [
    "/debug/goroutine", "/debug/pprof/goroutine?debug=2", "/debug/pprof/goroutine", "/debug/pprof/"])
def test_head_of_the_debug_routes_has_headers_only(daemon, bg, dump):
    with daemon.tcp.stream(LOGS):
        got = daemon.http.get(dump).expect(200)
        head = daemon.http.head(dump).expect(200)
        assert head.body == b"" and head.headers["content-type"] == got.headers["content-type"]
        shown = subprocess.run(curl(daemon, "tcp", dump, "-I"), check=True, capture_output=True, text=True).stdout
        assert shown.startswith("HTTP/1.1 200 OK\r\n") or shown.startswith("HTTP/1.1 200 OK\n")


def test_each_follower_of_one_container_is_a_task_of_its_own(daemon, bg):
    streams = [daemon.tcp.stream(LOGS) for _ in range(5)]
    try:
        eventually(lambda: daemon.dump().count("quoll::api::logs_container(") == 5, what="5 handlers")
        for left in (4, 3, 2, 1, 0):
            streams.pop().close()
            eventually(lambda: daemon.dump().count("quoll::api::logs_container(") == left, GONE_SECONDS_MAX, f"{left} handlers")
    finally:
        for stream in streams:
            stream.close()

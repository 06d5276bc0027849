"""GET /containers/{id}/logs: what is selected, how it is framed, and when a follower ends."""

import concurrent.futures
import http.client
import os
import re
import struct
import time

import docker
import pytest

import containers
from containers import lines, logs, nanoseconds, seconds_text
from waiting import eventually

BOTH = "stdout=1&stderr=1"


def numbered(count):
    return [str(number) for number in range(1, count + 1)]


# -- since, until, tail, timestamps --


@pytest.fixture
def five(daemon):
    """A container with the lines 1 to 5, each of another time; and those times."""
    # Lines that the monitor reads at once have one time; on a busy host it may be late by any pause, so pauses grow.
    for pause in (0.01, 0.05, 0.2, 0.5, 1):
        container = containers.finished(daemon, f"for i in 1 2 3 4 5; do echo $i; sleep {pause}; done")
        stamped = lines(daemon, container, f"{BOTH}&timestamps=1")
        assert [line.split(" ")[1] for line in stamped] == numbered(5)
        times = [nanoseconds(line.split(" ")[0]) for line in stamped]
        assert times == sorted(times)
        if len(set(times)) == 5:
            return container, times
    pytest.fail("the monitor never read five lines one by one")


def test_since_takes_the_line_of_just_that_nanosecond(daemon, five):
    container, times = five
    for index, time in enumerate(times):
        assert lines(daemon, container, f"{BOTH}&since={seconds_text(time)}") == numbered(5)[index:]
        assert lines(daemon, container, f"{BOTH}&since={seconds_text(time + 1)}") == numbered(5)[index + 1:]
        assert lines(daemon, container, f"{BOTH}&since={seconds_text(time - 1)}") == numbered(5)[index:]


def test_until_takes_the_line_of_just_that_nanosecond(daemon, five):
    container, times = five
    for index, time in enumerate(times):
        assert lines(daemon, container, f"{BOTH}&until={seconds_text(time)}") == numbered(5)[:index + 1]
        assert lines(daemon, container, f"{BOTH}&until={seconds_text(time - 1)}") == numbered(5)[:index]
        assert lines(daemon, container, f"{BOTH}&until={seconds_text(time + 1)}") == numbered(5)[:index + 1]


def test_since_until_and_tail_together(daemon, five):
    container, times = five
    window = f"since={seconds_text(times[1])}&until={seconds_text(times[3])}"
    assert lines(daemon, container, f"{BOTH}&{window}") == ["2", "3", "4"]
    assert lines(daemon, container, f"{BOTH}&since={seconds_text(times[1])}&tail=2") == ["4", "5"]
    assert lines(daemon, container, f"{BOTH}&since={seconds_text(times[4])}&tail=3") == ["5"]


@pytest.mark.parametrize("tail, wanted", [
    ("0", []), ("1", ["5"]), ("4", ["2", "3", "4", "5"]), ("5", numbered(5)), ("6", numbered(5)),
    ("100000000", numbered(5)), ("all", numbered(5)), ("", numbered(5))])
def test_tail_is_the_last_lines(daemon, five, tail, wanted):
    container, _ = five
    assert lines(daemon, container, f"{BOTH}&tail={tail}") == wanted


def test_tail_of_a_long_log_is_exact_at_every_size_of_block(daemon):
    container = containers.finished(daemon, "seq 1 30000")
    for count in (1, 2, 999, 1000, 1001, 4095, 8192, 29_999, 30_000, 30_001):
        assert lines(daemon, container, f"{BOTH}&tail={count}") == numbered(30_000)[-count:]


@pytest.mark.parametrize("query", ["since=x", "until=1.2.3", "since=1e9", "tail=1&since=-"])
def test_a_bad_time_is_refused_with_400(daemon, five, query):
    answer = daemon.http.get(f"/containers/{five[0]}/logs?{BOTH}&{query}").expect(400)
    assert answer.json()["message"]


def test_timestamps_are_rfc_3339_with_nanoseconds_and_a_space(daemon, five):
    container, _ = five
    for line in lines(daemon, container, f"{BOTH}&timestamps=1"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z \d", line), line


def test_docker_logs_options(daemon, five):
    container, times = five
    assert daemon.docker("logs", container).stdout.split() == numbered(5)
    assert daemon.docker("logs", "--tail", "2", container).stdout.split() == ["4", "5"]
    assert daemon.docker("logs", "--since", seconds_text(times[3]), container).stdout.split() == ["4", "5"]
    assert daemon.docker("logs", "--until", seconds_text(times[1]), container).stdout.split() == ["1", "2"]
    assert daemon.docker("logs", "--since", "1h", container).stdout.split() == numbered(5)
    assert daemon.docker("logs", "--until", "1h", container).stdout == ""
    [stamped] = daemon.docker("logs", "-t", "-n", "1", container).stdout.splitlines()
    assert nanoseconds(stamped.split(" ")[0]) == times[4]


def test_follow_begins_with_tail_and_goes_on(daemon, tmp_path):
    container = containers.run(daemon, f"seq 1 10; {containers.GATE}; echo new",
                               "-v", f"{tmp_path}:/gate")
    eventually(lambda: len(lines(daemon, container)) == 10)
    with daemon.http.stream(f"/containers/{container}/logs?stdout=1&follow=1&tail=2") as stream:
        data = b""
        while data.count(b"\n") < 2:
            data += stream.read_some()
        (tmp_path / "go").touch()
        data += stream.read_all()
    assert containers.payload(data) == b"9\n10\nnew\n"


def test_follow_with_until_in_the_future_ends_by_itself(daemon):
    container = containers.run(daemon, containers.SILENT)
    until = time.time_ns() + 300_000_000
    with daemon.http.stream(f"/containers/{container}/logs?stdout=1&follow=1&until={seconds_text(until)}", timeout=10) as stream:
        assert stream.read_all() == b""
    daemon.leak_check("logs_container")
    assert containers.state(daemon, container)["Running"]


# -- streams and framing --


def test_stdout_and_stderr_are_told_apart(daemon):
    container = containers.finished(daemon, "echo out; echo err >&2; echo out2; echo err2 >&2")
    path = f"/containers/{container}/logs"
    both = daemon.http.get(f"{path}?{BOTH}").body
    assert containers.payload(both, stream=1) == b"out\nout2\n"
    assert containers.payload(both, stream=2) == b"err\nerr2\n"
    assert daemon.http.get(f"{path}?stdout=1").body == b"\1\0\0\0\0\0\0\4out\n\1\0\0\0\0\0\0\5out2\n"
    assert daemon.http.get(f"{path}?stderr=1").body == b"\2\0\0\0\0\0\0\4err\n\2\0\0\0\0\0\0\5err2\n"
    done = daemon.docker("logs", container)
    assert (done.stdout, done.stderr) == ("out\nout2\n", "err\nerr2\n")
    client = daemon.client().containers.get(container)
    assert client.logs(stderr=False) == b"out\nout2\n"
    assert client.logs(stdout=False) == b"err\nerr2\n"


def test_framing_is_dockers_and_named_since_1_42(daemon):
    container = containers.finished(daemon, "echo one")
    answer = daemon.http.get(f"/v1.51/containers/{container}/logs?stdout=1&timestamps=1").expect(200)
    assert answer.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    stream, size = struct.unpack(">BxxxI", answer.body[:8])
    assert (stream, size) == (1, len(answer.body) - 8)
    assert re.fullmatch(rb"\S+Z one\n", answer.body[8:])
    older = daemon.http.get(f"/v1.41/containers/{container}/logs?stdout=1").expect(200)
    assert older.headers["content-type"] == "application/vnd.docker.raw-stream"


def test_a_terminal_s_log_is_raw_with_carriage_returns(daemon):
    container = containers.finished(daemon, "echo one; echo two >&2; tty", "-t")
    answer = daemon.http.get(f"/containers/{container}/logs?stdout=1").expect(200)
    assert answer.body == b"one\r\ntwo\r\n/dev/pts/0\r\n"
    assert answer.headers["content-type"] == "application/vnd.docker.raw-stream"
    assert daemon.docker("logs", container, text=False).stdout == answer.body


def test_a_follower_of_a_terminal_gets_raw_bytes_as_they_come(daemon, tmp_path):
    container = containers.run(daemon, f"printf prompt; {containers.GATE}; echo",
                               "-t", "-v", f"{tmp_path}:/gate")
    with daemon.http.stream(f"/containers/{container}/logs?stdout=1&follow=1") as stream:
        data = stream.read_some()
        assert data == b"prompt"[:len(data)]
        (tmp_path / "go").touch()
        assert data + stream.read_all() == b"prompt\r\n"


@pytest.mark.parametrize("size", [8191, 8192, 8193, 16_383, 16_384, 16_385, 100_000])
def test_long_lines_come_whole(daemon, size):
    container = containers.finished(daemon, f"head -c {size} /dev/zero | tr '\\0' x; echo; echo then")
    assert logs(daemon, container) == b"x" * size + b"\nthen\n"
    assert daemon.docker("logs", container).stdout == "x" * size + "\nthen\n"
    stamped = logs(daemon, container, f"{BOTH}&timestamps=1")
    assert stamped.count(b"Z ") >= 2 and stamped.count(b"x") == size
    assert lines(daemon, container, f"{BOTH}&tail=1") == ["then"]


def test_output_without_a_last_newline_is_given_as_it_is(daemon):
    container = containers.finished(daemon, "echo whole; printf torn")
    assert logs(daemon, container) == b"whole\ntorn"
    assert logs(daemon, container, f"{BOTH}&tail=1") == b"torn"
    with daemon.http.stream(f"/containers/{container}/logs?stdout=1&follow=1") as stream:
        assert containers.payload(stream.read_all()) == b"whole\ntorn"


def test_bytes_of_all_kinds_come_back_as_they_were(daemon, tmp_path):
    # Every byte value in every neighbourhood, torn UTF-8, NULs, carriage returns, and what looks like the log's own records.
    record = b"2026-11-23T21:22:44.137589767+00:00 stdout F fake\n"
    blob = bytes(range(256)) * 64 + b"\xff\xfe\xc3(\r\n\0\n" + record * 3 + os.urandom(50_000)
    (tmp_path / "blob").write_bytes(blob)
    container = containers.finished(daemon, "cat /in/blob", "-v", f"{tmp_path}:/in:ro")
    assert logs(daemon, container) == blob


def test_empty_lines_and_nothing_at_all(daemon):
    assert logs(daemon, containers.finished(daemon, "echo; echo; echo x; echo")) == b"\n\nx\n\n"
    silent = containers.finished(daemon, "true")
    assert logs(daemon, silent) == b""
    never = containers.create(daemon)
    assert logs(daemon, never) == b""
    assert daemon.docker("logs", "-f", never).stdout == ""


def test_the_output_of_each_run_follows_that_of_the_last(daemon):
    container = containers.finished(daemon, "echo run; date +%s%N >&2")
    containers.start(daemon, container)
    containers.wait(daemon, container)
    assert logs(daemon, container, "stdout=1") == b"run\nrun\n"
    assert logs(daemon, container, "stdout=1&tail=1") == b"run\n"


# -- what is refused --


@pytest.mark.parametrize("query", ["", "?follow=1", "?stdout=0&stderr=0", "?stdout=false&follow=1", "?tail=5"])
def test_neither_stream_is_400(daemon, query):
    container = containers.create(daemon)
    answer = daemon.http.get(f"/containers/{container}/logs{query}").expect(400)
    assert answer.json() == {"message": "Bad parameters: you must choose at least one stream"}


def test_an_unknown_container_is_404(daemon):
    answer = daemon.http.get("/containers/nobody/logs?stdout=1&follow=1").expect(404)
    assert answer.json() == {"message": "No such container: nobody"}
    done = daemon.docker("logs", "nobody", check=False)
    assert done.returncode == 1 and "No such container: nobody" in done.stderr
    with pytest.raises(docker.errors.NotFound):
        daemon.client().containers.get("nobody")


def test_log_driver_none_is_an_error_that_says_so(daemon):
    container = containers.finished(daemon, "echo lost", "--log-driver", "none")
    answer = daemon.http.get(f"/containers/{container}/logs?stdout=1").expect(501)
    assert answer.json() == {"message": "configured logging driver does not support reading"}
    done = daemon.docker("logs", container, check=False)
    assert done.returncode == 1 and "configured logging driver does not support reading" in done.stderr
    assert containers.inspect(daemon, container)["HostConfig"]["LogConfig"]["Type"] == "none"


# -- when a follower ends --


def follow_to_the_end(daemon, script):
    container = containers.create(daemon, script)
    containers.start(daemon, container)
    with daemon.http.stream(f"/containers/{container}/logs?{BOTH}&follow=1", timeout=30) as stream:
        data = containers.payload(stream.read_all())
    code = containers.wait(daemon, container)
    daemon.http.delete(f"/containers/{container}").expect(204)
    return data, code


def test_a_follower_ends_when_its_container_ends_and_behind_its_last_line(daemon):
    script = "seq 1 200; printf last; exit 7"
    wanted = "".join(f"{number}\n" for number in range(1, 201)).encode() + b"last"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for data, code in pool.map(lambda _: follow_to_the_end(daemon, script), range(50)):
            assert code == 7
            assert data == wanted
    daemon.leak_check("logs_container")


def test_docker_logs_follow_ends_with_the_container(daemon):
    container = containers.run(daemon, "trap 'echo bye; exit 5' TERM; echo ready; while true; do sleep 0.05; done")
    follower = daemon.docker_popen("logs", "-f", container, text=True)
    try:
        assert follower.stdout.readline() == "ready\n"
        daemon.docker("stop", container)
        out, _ = follower.communicate(timeout=20)
    finally:
        follower.kill()
    assert (out, follower.returncode) == ("bye\n", 0)


def test_a_follower_ends_when_its_container_is_removed(daemon):
    container = containers.run(daemon, f"echo here; {containers.SILENT}")
    with daemon.http.stream(f"/containers/{container}/logs?stdout=1&follow=1", timeout=20) as stream:
        assert stream.read_some()
        daemon.docker("rm", "-f", container)
        assert stream.read_all() == b""
    daemon.leak_check("logs_container")


def test_a_follower_ends_when_an_auto_removed_container_ends(daemon, tmp_path):
    container = containers.run(daemon, f"{containers.GATE}; seq 1 500", "--rm", "-v", f"{tmp_path}:/gate")
    with daemon.http.stream(f"/containers/{container}/logs?stdout=1&follow=1", timeout=20) as stream:
        (tmp_path / "go").touch()
        assert containers.payload(stream.read_all()).decode().split() == numbered(500)
    eventually(lambda: daemon.http.get(f"/containers/{container}/json").status == 404, what="the container's removal")


def test_a_follower_stays_through_a_quiet_time_and_gets_the_header_at_once(daemon):
    container = containers.run(daemon, containers.SILENT)
    with daemon.tcp.stream(f"/containers/{container}/logs?stdout=1&follow=1", timeout=10) as stream:
        assert stream.status == 200  # in hand although the container has not written a byte
        daemon.leak_check("--expect-alive", "logs_container")


def test_a_follower_of_a_stopped_container_ends_at_once(daemon):
    container = containers.finished(daemon, "echo old")
    with daemon.http.stream(f"/containers/{container}/logs?stdout=1&follow=1", timeout=10) as stream:
        assert containers.payload(stream.read_all()) == b"old\n"


# -- clients, and a daemon that comes back --


def test_python_docker_streams_every_line(daemon):
    container = containers.run(daemon, "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.02; done")
    client = daemon.client()
    got = b"".join(client.containers.get(container).logs(stream=True, follow=True))
    assert got.decode().split() == numbered(10)
    assert client.containers.get(container).logs(tail=3) == b"8\n9\n10\n"


def test_logs_are_there_after_the_daemon_s_restart_and_go_on(make_daemon, tmp_path):
    daemon = make_daemon()
    done = containers.finished(daemon, "seq 1 100; printf end")
    alive = containers.run(daemon, f"echo before; {containers.GATE}; echo after", "-v", f"{tmp_path}:/gate")
    eventually(lambda: logs(daemon, alive) == b"before\n")
    daemon.restart()
    assert logs(daemon, done) == "".join(f"{number}\n" for number in range(1, 101)).encode() + b"end"
    with daemon.http.stream(f"/containers/{alive}/logs?stdout=1&follow=1", timeout=20) as stream:
        (tmp_path / "go").touch()
        assert containers.payload(stream.read_all()) == b"before\nafter\n"


def test_followers_end_when_the_daemon_stops(make_daemon):
    daemon = make_daemon(arguments=["--shutdown-timeout", "1"])
    container = containers.run(daemon, containers.SILENT)
    with daemon.tcp.stream(f"/containers/{container}/logs?stdout=1&follow=1", timeout=30) as stream:
        daemon.restart()
        # Cut off, and not ended as if this were all of the log.
        with pytest.raises((http.client.IncompleteRead, OSError)):
            stream.read_all()
    assert containers.state(daemon, container)["Running"]

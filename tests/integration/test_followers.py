"""Many followers, slow ones, and ones that leave: all is given back, and no line is lost or doubled."""

import collections
import glob
import os
import re
import socket

import pytest

import containers
import followers
from waiting import eventually

SECONDS_MAX = 20


def address(daemon, transport):
    return daemon.tcp.address if transport == "tcp" else daemon.http.address


def tasks_by_name(daemon):
    """How many tasks there are of each root function, the dump's own request aside."""
    counts = collections.Counter()
    for block in daemon.dump().split("\n\n")[1:]:
        functions = [line for line in block.split("\n")[1:] if line and not line.startswith(("\t", "created by"))]
        counts[functions[-1]] += 1
    return counts


@pytest.fixture
def silent(daemon):
    return containers.run(daemon, containers.SILENT, name="silent")


def settled(daemon):
    """(tasks, descriptors) while nobody asks anything; the connections of our own questions have been closed by then."""
    tasks = eventually(lambda: (now := tasks_by_name(daemon)) == tasks_by_name(daemon) and now, what="tasks at rest")
    return tasks, daemon.fd_count_at_rest()


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_a_thousand_followers_that_leave_at_once_give_back_every_task_and_descriptor(daemon, silent, transport, leave):
    path = f"/containers/{silent}/logs?stdout=1&stderr=1&follow=1"
    with followers.Crowd(address(daemon, transport), path, 1):
        pass  # what the first follower ever leaves for good (a cache, a thread) is no leak of the thousand
    daemon.leak_check("logs_container")
    tasks, descriptors = settled(daemon)
    with followers.Crowd(address(daemon, transport), path, 1000) as crowd:
        control = eventually(lambda: daemon.dump().count("quoll::api::logs_container(") == 1000, SECONDS_MAX, "1,000 handlers")
        assert control and daemon.fd_count() >= descriptors + 1000
        getattr(crowd, leave)()
    eventually(lambda: tasks_by_name(daemon) == tasks, SECONDS_MAX, f"the tasks that were there before: {tasks}")
    eventually(lambda: daemon.fd_count() <= descriptors, SECONDS_MAX, f"{descriptors} descriptors")
    assert "logs_container" not in daemon.dump()
    # What went on beside them still goes on.
    assert containers.state(daemon, silent)["Running"]


def test_a_silent_follower_costs_one_descriptor_and_at_most_two_tasks(daemon, silent):
    tasks, descriptors = settled(daemon)
    with followers.Crowd(daemon.tcp.address, f"/containers/{silent}/logs?stdout=1&follow=1", 50):
        eventually(lambda: daemon.dump().count("quoll::api::logs_container(") == 50)
        more_tasks = sum(tasks_by_name(daemon).values()) - sum(tasks.values())
        assert more_tasks <= 102  # of them up to two of the dump's own, which may have been there before or not
        assert daemon.fd_count_at_rest() - descriptors <= 51  # the log's own is one for all


def gate(tmp_path):
    """A directory for the container, and the word that lets it go on."""
    path = tmp_path / "gate"
    path.mkdir()
    return path, lambda: (path / "open").touch()


def gated(script):
    return f"while [ ! -e /gate/open ]; do sleep 0.02; done; {script}"


def numbered(count):
    return "".join(f"{number}\n" for number in range(1, count + 1)).encode()


def test_a_hundred_followers_of_a_burst_get_every_line_once_and_in_order(daemon, tmp_path):
    path, go = gate(tmp_path)
    burst = containers.run(daemon, gated("seq 1 200000"), "-v", f"{path}:/gate")
    query = f"/containers/{burst}/logs?stdout=1&follow=1"
    with followers.ReadingCrowd(daemon.tcp.address, query, 50, 1) as tcp, \
            followers.ReadingCrowd(daemon.http.address, query, 50, 1) as unix:
        go()
        assert containers.wait(daemon, burst) == 0
        results = tcp.results(60) + unix.results(60)
    whole = daemon.http.get(f"/containers/{burst}/logs?stdout=1").expect(200).body
    assert containers.payload(whole) == numbered(200_000)
    assert collections.Counter(results) == {followers.digest_of(whole): 100}
    daemon.leak_check("logs_container")


def test_followers_that_come_in_the_middle_of_a_burst_get_every_line_too(daemon, tmp_path):
    path, go = gate(tmp_path)
    burst = containers.run(daemon, "seq 1 100000; " + gated("seq 100001 200000"), "-v", f"{path}:/gate")
    query = f"/containers/{burst}/logs?stdout=1&follow=1"
    crowds = []
    try:
        for _ in range(4):
            crowds.append(followers.ReadingCrowd(daemon.tcp.address, query, 3, 1))
        go()
        crowds.append(followers.ReadingCrowd(daemon.tcp.address, query, 3, 1))
        results = [result for crowd in crowds for result in crowd.results(60)]
    finally:
        for crowd in crowds:
            crowd.close()
    whole = daemon.http.get(f"/containers/{burst}/logs?stdout=1").expect(200).body
    assert containers.payload(whole) == numbered(200_000)
    assert collections.Counter(results) == {followers.digest_of(whole): 15}


def test_a_client_that_stops_reading_holds_nobody_up_costs_no_memory_and_gets_every_line_later(daemon, tmp_path):
    path, go = gate(tmp_path)
    line = "x" * 90
    flood = containers.run(daemon, gated(f"yes {line} | head -n 400000 | nl -w 9"), "-v", f"{path}:/gate")
    query = f"/containers/{flood}/logs?stdout=1&follow=1"
    with followers.Crowd(daemon.tcp.address, query, 2) as tcp, followers.Crowd(daemon.http.address, query, 2) as unix:
        with followers.ReadingCrowd(daemon.tcp.address, query, 4, 1) as readers:
            before = daemon.rss_bytes()
            go()
            assert containers.wait(daemon, flood) == 0
            results = readers.results(60)
            grown = daemon.rss_bytes() - before
        assert daemon.dump().count("quoll::api::logs_container(") == 4  # those that do not read
        assert grown < 24 << 20, f"{grown >> 20} MB more while 4 clients did not read"
        whole = daemon.http.get(f"/containers/{flood}/logs?stdout=1").expect(200).body
        got = containers.payload(whole).split(b"\n")
        assert len(got) == 400_001 and got[-1] == b""
        assert all(int(text[:9]) == number for number, text in enumerate(got[:-1], 1))
        assert collections.Counter(results) == {followers.digest_of(whole): 4}
        for sock in tcp.sockets + unix.sockets:
            data = bytearray()
            while more := sock.recv(followers.READ_BYTES):
                data += more
            assert data == whole
    daemon.leak_check("logs_container")


def test_a_client_that_stops_reading_and_leaves_is_noticed(daemon):
    noisy = containers.run(daemon, f"yes {'x' * 200}", "--log-opt", "max-size=2m", "--log-opt", "max-file=2")
    query = f"/containers/{noisy}/logs?stdout=1&follow=1"
    with followers.Crowd.__new__(followers.Crowd) as crowd:
        crowd.sockets = []
        for transport in ("tcp", "unix"):
            crowd.sockets.append(followers.connect(address(daemon, transport)))
            crowd.sockets[-1].sendall(followers.request(query))
        daemon.leak_check("--expect-alive", "logs_container")
        # Both wait for room in the socket, which nobody makes.
        eventually(lambda: len(re.findall(r"\[IO wait[^\]]*\]:\n(?:\S.*\n\t.*\n)*?\S*logs_container\(", daemon.dump())) == 2,
                   what="two handlers that wait for their clients")
        crowd.reset()
    daemon.leak_check("logs_container")


def log_sizes(daemon, container):
    """Of the files of its log; what is renamed or removed while we look counts as it was before or after."""
    sizes = []
    for path in glob.glob(os.path.dirname(containers.inspect(daemon, container)["LogPath"]) + "/*"):
        try:
            sizes.append(os.path.getsize(path))
        except FileNotFoundError:
            continue
    return sizes


@pytest.mark.parametrize("max_file", [1, 2, 3])
def test_a_follower_across_rotations_loses_nothing_and_the_files_stay_bounded(daemon, tmp_path, max_file):
    path, go = gate(tmp_path)
    # 60 batches of 100 KB in the log: some thirty rotations.
    script = gated("i=0; while [ $i -lt 60 ]; do seq $((i * 2000 + 1)) $((i * 2000 + 2000)); i=$((i + 1)); sleep 0.02; done")
    rotated = containers.run(daemon, script, "-v", f"{path}:/gate", "--log-opt", "max-size=200k",
                             "--log-opt", f"max-file={max_file}")
    with daemon.tcp.stream(f"/containers/{rotated}/logs?stdout=1&follow=1") as stream:
        go()
        most = [0, 0]
        data = bytearray()
        while more := stream.read_some():
            data += more
            sizes = log_sizes(daemon, rotated)
            most = [max(most[0], len(sizes)), max(most[1], sum(sizes))]
    assert containers.payload(bytes(data)) == numbered(120_000)
    assert most[0] <= max_file + 1  # one more while the monitor is asked for its new file
    assert most[1] <= (max_file + 1) * 400_000
    # What is kept is the end of it, without a gap.
    kept = [int(line) for line in containers.lines(daemon, rotated, "stdout=1")]
    assert len(kept) < 120_000
    # With one file, a rotation behind the very last line leaves an empty one.
    assert kept or max_file == 1
    assert kept == list(range(120_001 - len(kept), 120_001))


def test_a_fast_writer_across_rotations_loses_nothing_for_many_followers(daemon, tmp_path):
    path, go = gate(tmp_path)
    fast = containers.run(daemon, gated("seq 1 200000"), "-v", f"{path}:/gate", "--log-opt", "max-size=500k",
                          "--log-opt", "max-file=2")
    # TTY-free and one frame a line: what all must have got is known beforehand but for where the monitor cut a line.
    with followers.ReadingCrowd(daemon.tcp.address, f"/containers/{fast}/logs?stdout=1&follow=1", 20) as crowd:
        with daemon.tcp.stream(f"/containers/{fast}/logs?stdout=1&follow=1") as stream:
            go()
            whole = stream.read_all()
        results = crowd.results(60)
    assert containers.payload(whole) == numbered(200_000)
    assert collections.Counter(results) == {followers.digest_of(whole): 20}


def half_closed(daemon, transport, container):
    sock = followers.connect(address(daemon, transport))
    sock.settimeout(10)
    sock.sendall(followers.request(f"/containers/{container}/logs?stdout=1&follow=1"))
    followers.read_head(sock)
    sock.shutdown(socket.SHUT_WR)
    return sock


def test_half_a_close_on_a_unix_socket_keeps_following(daemon, tmp_path):
    path, go = gate(tmp_path)
    container = containers.run(daemon, gated("echo said; exec sleep 1000"), "-v", f"{path}:/gate")
    with half_closed(daemon, "unix", container) as sock:
        daemon.leak_check("--expect-alive", "logs_container")
        go()
        assert sock.recv(100) == b"\1\0\0\0\0\0\0\5said\n"
        daemon.leak_check("--expect-alive", "logs_container")
    daemon.leak_check("logs_container")


def test_half_a_close_on_tcp_is_the_clients_leaving(daemon, silent):
    with half_closed(daemon, "tcp", silent) as sock:
        daemon.leak_check("logs_container")
        assert sock.recv(100) == b""

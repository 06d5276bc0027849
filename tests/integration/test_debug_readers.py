"""/debug as people's tools read it: go tool pprof, panicparse, curl; and quoll, the operator's own."""

import json
import re
import subprocess

import pytest

import containers
import followers
from daemon import QUOLL
from http_client import HttpClient
from waiting import eventually

FOLLOWERS = 20


@pytest.fixture
def followed(daemon):
    """Twenty followers of a silent container, all of them waiting."""
    container = containers.run(daemon, containers.SILENT, name="followed")
    with followers.Crowd(daemon.tcp.address, f"/containers/{container}/logs?stdout=1&follow=1", FOLLOWERS):
        waiting = re.compile(r"\[chan receive[^\]]*\]:\n(?:\S.*\n\t.*\n)*?quoll::api::logs_container\(")
        eventually(lambda: len(waiting.findall(daemon.dump())) == FOLLOWERS, what="the followers that wait")
        yield daemon


def tool(*command, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **kwargs)
    assert done.returncode == 0, f"{command}: {done.returncode}: {done.stderr}{done.stdout}"
    return done.stdout


# -- go tool pprof --


@pytest.fixture
def pprof(tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)}
    return lambda *arguments: tool("go", "tool", "pprof", *arguments, env=environment)


# In a file the text form has numbers only, Go's as well as this: pprof asks for their names where the profile comes from.
@pytest.fixture(params=["url debug=0", "url debug=1", "file debug=0", "url debug=3", "file debug=3"])
def profile(request, followed, tmp_path):
    """A source as pprof takes it: the daemon's own address, or what curl has saved of it."""
    kind, query = request.param.split()
    url = followed.url(f"/debug/pprof/goroutine?{query}")
    if kind == "url":
        return url
    tool("curl", "-sS", "--fail", "-o", str(tmp_path / "profile"), url)
    return str(tmp_path / "profile")


def test_pprof_top_shows_the_followers(pprof, profile):
    shown = pprof("-top", "-cum", profile)
    assert re.search(r"^Type: goroutine$|^File: ", shown, re.M), shown
    [row] = [line for line in shown.splitlines() if line.endswith("logs_container")]
    # flat flat% sum% cum cum% name: the handler is in twenty stacks and is nobody's innermost.
    assert row.split()[0] == "0" and row.split()[3] == str(FOLLOWERS), row


def test_pprof_traces_show_whole_stacks(pprof, profile):
    shown = pprof("-traces", profile)
    stacks = [block for block in shown.split("-----------+-------------------------------------------------------")
              if "logs_container" in block]
    assert stacks, shown
    for stack in stacks:
        places = [stack.find(name) for name in ("LogFollower::next", "logs_container", "serve_connection")]
        assert -1 not in places and places == sorted(places), stack
    assert sum(int(re.search(r"^\s*(\d+)\s", stack, re.M)[1]) for stack in stacks) == FOLLOWERS


def test_pprof_raw_names_files_and_lines(pprof, profile):
    shown = pprof("-raw", profile)
    assert re.search(r"^PeriodType: goroutine count$", shown, re.M), shown[:500]
    # Location: number, address, function, file, line; the text form's names come one by one and bring no file.
    place = "" if "debug=1" in profile else r"\S*api/logs\.cpp:\d+"
    assert re.search(rf"^ +\d+: 0x[0-9a-f]+.*\blogs_container\b.*{place}", shown, re.M), shown


def test_pprof_counts_the_stacks_of_a_saved_text_profile(pprof, followed, tmp_path):
    tool("curl", "-sS", "--fail", "-o", str(tmp_path / "profile"), followed.url("/debug/pprof/goroutine?debug=1"))
    assert "logs_container" in (tmp_path / "profile").read_text()  # for people
    assert re.search(rf"^ +{FOLLOWERS}: (\d+ ){{5,}}", pprof("-raw", str(tmp_path / "profile")), re.M)


def test_pprof_focuses_and_compares(pprof, followed, tmp_path):
    url = followed.url("/debug/pprof/goroutine")
    tool("curl", "-sS", "--fail", "-o", str(tmp_path / "before"), url)
    with followers.Crowd(followed.http.address, "/containers/followed/logs?stdout=1&follow=1", 7):
        eventually(lambda: followed.dump().count("quoll::api::logs_container(") == FOLLOWERS + 7)
        tool("curl", "-sS", "--fail", "-o", str(tmp_path / "after"), url)
    focused = pprof("-top", "-cum", "-focus=logs_container", str(tmp_path / "before"))
    assert re.search(rf"{FOLLOWERS} of \d+ total|Showing nodes accounting for {FOLLOWERS}\b", focused), focused
    grown = pprof("-top", "-cum", f"-diff_base={tmp_path / 'before'}", str(tmp_path / "after"))
    [row] = [line for line in grown.splitlines() if line.endswith("logs_container")]
    assert row.split()[3] == "7", row


def test_pprof_tags_show_states_and_requests(pprof, followed):
    tags = pprof("-tags", followed.url("/debug/pprof/goroutine?debug=3"))
    assert "chan receive" in tags and "/containers/" in tags


# -- panicparse --


def test_panicparse_reads_the_dump_and_groups_the_followers(followed):
    text = tool("curl", "-sS", "--fail", followed.url("/debug/pprof/goroutine?debug=2&files=go"))
    shown = tool("panicparse", "-no-color", "-rebase=false", "-parse=false", input=text)
    groups = [group for group in re.split(r"\n(?=\d+: )", shown) if "logs_container" in group]
    assert groups, shown
    assert sum(int(group.split(":")[0]) for group in groups) == FOLLOWERS
    assert all("chan receive" in group.split("\n")[0] for group in groups), groups
    assert "logs.cpp" in shown


# -- quoll --


def test_quoll_stack_shows_the_matching_tasks_only(followed):
    shown = followed.quoll("stack", "--match", "logs_container").stdout
    blocks = shown.rstrip("\n").split("\n\n")
    assert len(blocks) == FOLLOWERS
    assert all(block.startswith("goroutine ") and "logs_container(...)" in block for block in blocks)
    assert followed.quoll("stack", "--match", "no_such_function").stdout == ""
    assert followed.quoll("stack").stdout.count("goroutine ") > FOLLOWERS
    assert followed.quoll("stack", "--state", "chan receive", "--match", "logs_container").stdout.count("\n\n") == FOLLOWERS - 1
    assert followed.quoll("stack", "--match", "(", check=False).returncode != 0


def test_quoll_tasks_lists_them(followed):
    shown = followed.quoll("tasks", "--match", "logs_container").stdout
    rows = shown.splitlines()
    assert len(rows) >= FOLLOWERS, shown
    assert sum("chan receive" in row for row in rows) == FOLLOWERS


def test_quoll_finds_the_daemon_by_its_process_id(followed):
    def quoll(*arguments):
        return tool(QUOLL, *arguments, str(followed.pid))

    assert len(quoll("stack", "--match", "logs_container").split("\n\n")) == FOLLOWERS
    tree = quoll("tree", "--match", "logs").splitlines()
    assert re.fullmatch(r"\(\d+ daemon, not listed\)", tree[0]), tree
    below = re.compile(r"   (│  |   )?[├└]─ \d+ http.connection \[chan receive \S+\] GET /containers/{id}/logs from")
    assert sum(bool(below.match(row)) for row in tree) == FOLLOWERS, tree
    stats = quoll("stats")
    assert re.search(rf"^  chan receive +{FOLLOWERS}$", stats, re.M) and re.search(r"^descriptors +\d+ of \d+$", stats, re.M), stats
    top = quoll("top").splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  \d+ tasks: .*", top[0]) and f"{FOLLOWERS} chan receive" in top[0]
    assert top[1].startswith("ID ") and "running" in top[2] and "/containers/{id}/logs" in top[3]


def test_quoll_is_enough_for_a_host_without_docker(make_daemon, busybox_tar):
    daemon = make_daemon(image=False)
    assert "busybox:latest" in daemon.quoll("load", "-i", str(busybox_tar)).stdout
    assert re.search(r"busybox\s+latest\s", daemon.quoll("images").stdout)
    container = daemon.quoll("run", "-d", "--name", "small", "busybox", "sh", "-c",
                             "trap 'exit 4' TERM; echo out; echo err >&2; while true; do sleep 0.05; done").stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{64}", container)
    eventually(lambda: daemon.quoll("logs", "small").stdout == "out\n")
    logs = daemon.quoll("logs", "small")
    assert (logs.stdout, logs.stderr) == ("out\n", "err\n")
    assert re.search(rf"^{container[:12]}\s.*Up .*\ssmall$", daemon.quoll("ps").stdout, re.M)
    daemon.quoll("stop", "small")
    assert containers.state(daemon, "small")["ExitCode"] == 4
    assert "small" not in daemon.quoll("ps").stdout.split()
    assert re.search(r"Exited \(4\)", daemon.quoll("ps", "-a").stdout)
    daemon.quoll("rm", "small")
    assert daemon.container_ids() == []
    for wrong in (["logs", "small"], ["stop", "small"], ["rm", "small"], ["run", "-d", "absent", "true"], ["nonsense"], ["logs"]):
        done = daemon.quoll(*wrong, check=False)
        assert done.returncode != 0 and done.stderr, wrong


def test_quoll_run_in_the_foreground_gives_output_and_exit_status(daemon):
    done = daemon.quoll("run", "--rm", "busybox", "sh", "-c", "seq 1 1000; echo bad >&2; exit 7", check=False)
    assert done.returncode == 7
    assert done.stdout.split() == [str(number) for number in range(1, 1001)] and done.stderr == "bad\n"
    eventually(lambda: daemon.container_ids() == [])
    daemon.leak_check("logs_container", "wait_container")


def test_quoll_without_a_daemon_says_so(tmp_path):

    done = subprocess.run([QUOLL, "--host", f"unix://{tmp_path}/none", "ps"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and f"{tmp_path}/none" in done.stderr


# -- curl --


def test_the_filters_of_the_dump(followed):
    def blocks(query):
        text = followed.http.get(f"/debug/goroutine?{query}").expect(200).text
        return [block for block in text.split("\n\n") if block.strip()]

    assert len(blocks("match=logs_container")) == FOLLOWERS
    assert len(blocks("match=logs_container&state=chan+receive")) == FOLLOWERS
    assert blocks("match=logs_container&state=sleep") == []
    assert blocks("match=logs_container&min_wait=1h") == []
    assert 0 < len(blocks("state=IO+wait")) < len(blocks(""))
    followed.http.get("/debug/goroutine?debug=9").expect(400)
    followed.http.get("/debug/goroutine?match=(").expect(400)
    followed.http.get("/debug/goroutine?min_wait=soon").expect(400)


def test_every_block_of_the_dump_is_of_the_form_that_readers_take(followed):
    text = followed.http.get("/debug/goroutine").expect(200).text
    place = r"\t[^\n]+:\d+(?: \+0x[0-9a-f]+)?\n"
    frame = rf"[^\t\n%]+\(\.\.\.\)\n{place}"
    task = rf"goroutine \d{{1,18}} \[[^\]\n]+\]:\n(?:{frame})+(?:created by [^\n]+\n{place})?"
    assert re.fullmatch(rf"{task}(?:\n{task})*", text), text[:1000]
    assert text.split("\n")[0].endswith("[running]:")
    ids = re.findall(r"^goroutine (\d+) ", text, re.M)
    assert len(ids) == len(set(ids))


def test_the_headers_of_the_dump(followed):
    answer = followed.http.get("/debug/pprof/goroutine?debug=2").expect(200)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    counts = followed.http.get("/debug/pprof/goroutine?debug=1").expect(200).text
    total = int(re.match(r"goroutine profile: total (\d+)\n", counts)[1])
    assert total == sum(int(count) for count in re.findall(r"^(\d+) @", counts, re.M))
    packed = followed.http.get("/debug/pprof/goroutine").expect(200)
    assert packed.headers["content-type"] == "application/octet-stream" and packed.body[:2] == b"\x1f\x8b"
    assert packed.headers["content-disposition"] == 'attachment; filename="goroutine"'


def test_the_index_and_the_other_pages(followed):
    index = followed.http.get("/debug/pprof/").expect(200).text
    assert "goroutine?debug=2" in index and re.search(r"<td>\d+</td><td><a href='?\"?goroutine\?debug=1", index)
    command_line = followed.http.get("/debug/pprof/cmdline").expect(200).body.split(b"\0")
    assert command_line[0].endswith(b"/quolld") and b"--root" in command_line
    unknown = followed.http.get("/debug/pprof/nonsense").expect(404)
    assert unknown.text.startswith("Unknown profile") and unknown.headers["x-go-pprof"] == "1"
    json.loads(followed.http.get("/debug/tasks").expect(200).body)
    assert followed.http.get("/debug/pprof").status in (301, 302, 307, 308)


def test_the_debug_socket_answers_too(followed):

    own = HttpClient(f"{followed.exec_root}/debug.sock")
    assert own.get("/debug/goroutine").expect(200).text.count("quoll::api::logs_container(") == FOLLOWERS

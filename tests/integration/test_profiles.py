"""Go's profiles, read by `go tool pprof`, the trace, /debug/vars and /metrics, all of a daemon that works."""

import json
import re
import socket
import subprocess
import threading
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

import containers
import followers
from waiting import eventually

PROFILES = ["allocs", "block", "goroutine", "heap", "mutex", "threadcreate"]


@pytest.fixture
def pprof(tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)}

    def run(*arguments):
        done = subprocess.run(["go", "tool", "pprof", *arguments], capture_output=True, text=True, timeout=120, env=environment)
        assert done.returncode == 0, f"{arguments}: {done.stderr}{done.stdout}"
        return done.stdout

    return run


class Load:
    """Clients that ask for a list and for /_ping as fast as they are answered."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.stop = False
        self.threads = [threading.Thread(target=self.run) for _ in range(2)]

    def run(self):
        request = b"GET /containers/json?all=1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.daemon.port)) as sock:
            while not self.stop:
                sock.sendall(request * 50)
                received = b""
                while received.count(b"HTTP/1.1 ") < 100 or not received.endswith(b"OK"):
                    piece = sock.recv(1 << 16)
                    assert piece, received[-300:]
                    received += piece

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for thread in self.threads:
            thread.join()


def test_the_cpu_profile_names_functions_and_the_route_that_they_work_for(daemon, pprof, tmp_path):
    with Load(daemon):
        profile = daemon.http.get("/debug/pprof/profile?seconds=2", timeout=60).expect(200)
    assert profile.headers["content-disposition"] == 'attachment; filename="profile"'
    path = str(tmp_path / "cpu")
    with open(path, "wb") as file:
        file.write(profile.body)
    top = pprof("-top", "-cum", path)
    assert re.search(r"^Type: cpu$", top, re.M) and re.search(r"^Duration: 2(\.\d+)?s", top, re.M), top
    for function in ("quoll::http::serve_connection", "quoll::http::serve_request"):
        assert re.search(rf"\s{function}$", top, re.M), top
    unnamed = re.search(r"0x[0-9a-f]{6,}$", top, re.M)
    assert not unnamed, top
    tags = pprof("-tags", path)
    assert "/containers/json" in tags and "http.connection" in tags and "worker-0" in tags, tags
    traces = pprof("-traces", path)
    assert "serve_connection" in traces


@pytest.fixture
def sampled_daemon(make_daemon):
    """A sample each 4 KiB: at the usual 512 KiB an idle daemon, which has less than that, may have none."""
    return make_daemon(image=False, arguments=["--heap-sample-bytes", "4096"])


def test_the_heap_profile_has_names_and_all_four_values(sampled_daemon, pprof):
    daemon = sampled_daemon
    url = daemon.url("/debug/pprof/heap")
    for index in ("inuse_space", "inuse_objects", "alloc_space", "alloc_objects"):
        top = pprof("-top", f"-sample_index={index}", url)
        assert re.search(rf"^Type: {index}$", top, re.M), top
    top = pprof("-top", "-cum", url)
    assert re.search(r"^Type: inuse_space$", top, re.M) and "quoll::" in top, top
    assert re.search(r"^Type: alloc_space$", pprof("-top", daemon.url("/debug/pprof/allocs")), re.M)
    assert "quoll::" in pprof("-traces", url)


def test_what_a_load_allocates_is_in_the_delta(daemon, pprof, tmp_path):
    with Load(daemon):
        delta = daemon.http.get("/debug/pprof/allocs?seconds=1", timeout=60).expect(200)
    assert delta.headers["content-disposition"] == 'attachment; filename="allocs-delta"'
    (tmp_path / "delta").write_bytes(delta.body)
    top = pprof("-top", "-cum", "-sample_index=alloc_space", str(tmp_path / "delta"))
    assert re.search(r"^Duration: 1", top, re.M) and "quoll::http::serve_connection" in top, top


def test_the_text_of_the_heap_profile_is_read_by_pprof(sampled_daemon, pprof, tmp_path):
    daemon = sampled_daemon
    text = daemon.http.get("/debug/pprof/heap?debug=1&gc=1").expect(200).text
    assert re.match(r"heap profile: \d+: \d+ \[\d+: \d+\] @ heap/1048576\n", text)
    assert re.search(r"^# HeapInuse = \d+$", text, re.M) and "quoll::" in text
    top = pprof("-top", "-cum", daemon.url("/debug/pprof/heap?debug=1"))
    assert "quoll::" in top, top
    (tmp_path / "heap").write_text(text)
    assert "inuse_space" in pprof("-raw", str(tmp_path / "heap"))


def test_the_block_profile_has_where_followers_have_waited(make_daemon, pprof):
    daemon = make_daemon()
    container = containers.run(daemon, containers.SILENT, name="followed")
    with followers.Crowd(daemon.tcp.address, f"/containers/{container}/logs?stdout=1&follow=1", 5):
        eventually(lambda: daemon.dump().count("quoll::api::logs_container(") == 5)
        time.sleep(0.2)
    daemon.leak_check("logs_container")
    url = daemon.url("/debug/pprof/block")
    top = pprof("-top", "-cum", "-sample_index=delay", url)
    assert re.search(r"^Type: delay$", top, re.M) and "quoll::api::logs_container" in top, top
    assert "chan receive" in pprof("-tags", url)
    [row] = [line for line in pprof("-top", "-cum", "-sample_index=contentions", url).splitlines()
             if line.endswith("logs_container")]
    assert int(row.split()[3]) >= 5, row
    text = daemon.http.get("/debug/pprof/block?debug=1").expect(200).text
    assert text.startswith("--- contention:\ncycles/second=1000000000\n")
    assert "logs_container" in pprof("-top", "-cum", daemon.url("/debug/pprof/block?debug=1"))


def test_mutex_and_threadcreate(daemon, pprof):
    assert re.search(r"^Type: delay$", pprof("-top", daemon.url("/debug/pprof/mutex")), re.M)
    assert daemon.http.get("/debug/pprof/mutex?debug=1").expect(200).text.startswith("--- mutex:\n")
    top = pprof("-top", daemon.url("/debug/pprof/threadcreate"))
    assert "quoll::task::Runtime::start" in top and re.search(r"\bmain$", top, re.M), top
    assert "worker-0" in pprof("-tags", daemon.url("/debug/pprof/threadcreate"))


def test_the_index_has_every_profile_with_its_count_and_symbol_knows_every_address(sampled_daemon):
    daemon = sampled_daemon
    index = daemon.http.get("/debug/pprof/").expect(200).text
    for name in PROFILES:
        assert re.search(rf"<tr><td>\d+</td><td><a href='{name}\?debug=1'>{name}</a></td></tr>", index), index
    assert "profile" in index and "trace" in index and "cmdline" in index
    text = daemon.http.get("/debug/pprof/heap?debug=1").expect(200).text
    addresses = sorted(set(re.findall(r" (0x[0-9a-f]+)", text.split("# malloc")[0])))[:200]
    assert addresses
    for answer in (daemon.http.get("/debug/pprof/symbol?" + "+".join(addresses)).expect(200),
                   daemon.http.post("/debug/pprof/symbol", body="+".join(addresses).encode()).expect(200)):
        lines = answer.text.splitlines()
        assert lines[0] == "num_symbols: 1" and [line.split()[0] for line in lines[1:]] == addresses


def test_the_errors_are_gos(daemon):
    for name in PROFILES:
        both = daemon.http.get(f"/debug/pprof/{name}?debug=1&seconds=1").expect(400)
        assert both.text == "seconds and debug params are incompatible\n" and both.headers["x-go-pprof"] == "1"
        wrong = daemon.http.get(f"/debug/pprof/{name}?seconds=x").expect(400)
        assert wrong.text == 'invalid value for "seconds" - must be a positive integer\n'
    assert daemon.http.get("/debug/pprof/nonsense").expect(404).text == "Unknown profile\n"


def hang_up_during(daemon, path):
    """A client that asks, waits until it is served, and leaves."""
    with socket.create_connection(("127.0.0.1", daemon.port)) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        eventually(lambda: path.split("?")[0] in daemon.http.get("/debug/tasks").expect(200).text)


@pytest.mark.parametrize("name,enabling", [("profile", "CPU profiling: cpu profiling already in use"),
                                           ("trace", "tracing: tracing is already enabled")])
def test_one_at_a_time_and_a_client_that_leaves_ends_it(daemon, name, enabling):
    path = f"/debug/pprof/{name}"
    answers = []
    first = threading.Thread(target=lambda: answers.append(daemon.tcp.get(f"{path}?seconds=1", timeout=60)))
    first.start()
    eventually(lambda: path in daemon.http.get("/debug/tasks").expect(200).text)
    second = daemon.http.get(f"{path}?seconds=1").expect(500)
    assert second.text == f"Could not enable {enabling}\n" and second.headers["x-go-pprof"] == "1"
    first.join()
    answers[0].expect(200)
    hang_up_during(daemon, f"{path}?seconds=30")
    # Free again at once, and nothing of it is left.
    eventually(lambda: daemon.http.get(f"{path}?seconds=0.1").status == 200, 5)
    eventually(lambda: path not in daemon.http.get("/debug/tasks").expect(200).text)


def test_everything_at_once_by_several_clients(daemon):
    paths = [f"/debug/pprof/{name}{query}" for name in PROFILES for query in ("", "?debug=1", "?seconds=1")]
    paths += ["/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=1", "/debug/goroutine", "/debug/tasks",
              "/debug/vars", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline"]
    failures = []

    def ask(path):
        for _ in range(3):
            answer = daemon.tcp.get(path, timeout=60)
            in_use = answer.status == 500 and "already" in answer.text  # of profile and trace
            too_many = answer.status == 503  # dumps under way
            if answer.status != 200 and not in_use and not too_many:
                failures.append((path, answer.status, answer.text[:200]))

    with Load(daemon):
        threads = [threading.Thread(target=ask, args=(path,)) for path in paths * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    daemon.http.get("/_ping").expect(200)


def test_the_trace_has_what_ran_and_what_waited(daemon):
    with Load(daemon):
        answer = daemon.http.get("/debug/pprof/trace?seconds=0.3", timeout=60).expect(200)
    assert answer.headers["content-disposition"] == 'attachment; filename="trace.json"'
    trace = json.loads(answer.body)
    events = trace["traceEvents"]
    threads = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    assert "worker-0" in threads.values() and "debug" in threads.values()
    slices = [event for event in events if event["ph"] == "X"]
    assert any(event["name"] == "http.connection" and event["args"]["route"] == "" for event in slices)
    assert any(event["args"]["route"] == "/debug/pprof/trace" for event in slices)
    assert all(event["dur"] >= 0 and event["tid"] in threads for event in slices)
    # On one thread a slice ends before the next begins, or lies inside of it.
    for tid in threads:
        stack = []
        for event in sorted((e for e in slices if e["tid"] == tid), key=lambda e: (e["ts"], -e["dur"])):
            while stack and stack[-1] <= event["ts"] + 0.002:
                stack.pop()
            assert not stack or event["ts"] + event["dur"] <= stack[-1] + 0.002, event
            stack.append(event["ts"] + event["dur"])
    begun = [event for event in events if event["ph"] == "b"]
    ended = [event for event in events if event["ph"] == "e"]
    assert len(begun) == len(ended) > 0
    assert any(event["name"] == "IO wait" and "http/" in event["args"]["at"] for event in begun)


def metric(text, name, **labels):
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and all(sample.labels.get(key) == value for key, value in labels.items()):
                return sample.value
    return None


def check_conventions(text):
    """What promtool's lint asks for, and that every series is there once."""
    seen = set()
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP [a-z_]+ \S.*\.|TYPE [a-z_]+ (counter|gauge|histogram))", line), line
            continue
        match = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (\S+)', line)
        assert match, line
        assert (match[1], match[2]) not in seen, line
        seen.add((match[1], match[2]))
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        assert re.match(r"(quoll|process)_", family.name), family.name
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples), family.name
        else:
            assert not family.name.endswith("_total")
        if family.type == "histogram":
            series = {}
            for sample in family.samples:
                key = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
                series.setdefault(key, []).append(sample)
            for samples in series.values():
                buckets = [sample.value for sample in samples if sample.name.endswith("_bucket")]
                assert buckets == sorted(buckets) and samples[-3].labels["le"] == "+Inf"
                assert samples[-1].name.endswith("_count") and samples[-1].value == buckets[-1]


def test_metrics_by_route_status_state_and_container(make_daemon):
    daemon = make_daemon()
    before = daemon.http.get("/metrics").expect(200)
    assert before.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    check_conventions(before.text)
    containers.run(daemon, containers.SILENT, name="one")
    for _ in range(3):
        daemon.http.get("/v1.41/containers/nothing/json").expect(404)
    daemon.http.get("/no/such/route").expect(404)
    with socket.create_connection(("127.0.0.1", daemon.port)) as sock:
        sock.sendall(b"GET /containers/one/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.recv(100)
    daemon.leak_check("logs_container")
    text = daemon.tcp.get("/metrics").expect(200).text
    check_conventions(text)
    requests = "quoll_http_requests_total"
    assert metric(text, requests, route="/containers/{id}/json", method="GET", code="404") == 3
    assert metric(text, requests, route="/containers/{id}/logs", code="499") == 1
    assert metric(text, requests, route="", code="404") == 1
    assert metric(text, "quoll_http_request_duration_seconds_count", route="/containers/{id}/json", method="GET") == 3
    assert metric(text, "quoll_containers", state="running") == 1
    assert metric(text, "quoll_tasks", state="running") == 1
    assert metric(text, "quoll_http_connections") >= 1
    assert metric(text, "process_resident_memory_bytes") > 1e6
    assert abs(metric(text, "process_start_time_seconds") - time.time()) < 600
    listening = daemon.http.get("/debug/vars").expect(200)
    values = json.loads(listening.body)
    assert values["containers"]["running"] == 1 and values["http_connections"] >= 1
    assert values["cmdline"][0].endswith("quolld") and values["memstats"]["Alloc"] > 0
    assert sum(values["tasks"].values()) > 5

"""The daemon convicts what leaks and nothing else, tells of a blocked worker, and keeps secrets out of what it tells."""

import base64
import contextlib
import gzip
import os
import signal

import pytest

import containers
import leftovers
from http_client import HttpClient
from waiting import eventually


def debug_client(daemon):
    return HttpClient(os.path.join(daemon.exec_root, "debug.sock"))


def verdicts(daemon, query=""):
    answer = debug_client(daemon).get(f"/debug/leaks?format=json{query}").expect(200).json()
    assert answer["complete"] and answer["count"] == len(answer["verdicts"])
    return answer["verdicts"]


def log_of(daemon):
    with open(daemon.log_path, errors="replace") as file:
        return file.read()


@contextlib.contextmanager
def request_under_way(client, head):
    sock = client.connect()
    try:
        sock.sendall(head.encode())
        yield sock
    finally:
        sock.close()


def test_what_leaks_is_convicted_with_the_reason_and_logged_once(make_daemon):
    daemon = make_daemon(image=False, arguments=["--test-hooks"], leaks_on_purpose=True)
    assert verdicts(daemon) == []
    daemon.http.post("/debug/test/leak").expect(200)
    eventually(lambda: len(verdicts(daemon)) == 3, what="three verdicts")
    found = {verdict["task"]["name"]: verdict for verdict in verdicts(daemon)}
    assert found["test.own sender"]["kind"] == "no sender"
    assert found["test.own sender"]["task"]["stack"][0]["function"] == "quoll::daemon::wait_for_own_sender"
    first, second = found["test.lock first"], found["test.lock second"]
    assert first["kind"] == second["kind"] == "deadlock"
    assert first["cycle"] == [first["task"]["id"], second["task"]["id"]]
    assert first["task"]["waits_for"] == {"kind": "mutex", "holder": second["task"]["id"]}

    debug = debug_client(daemon)
    text = debug.get("/debug/leaks").expect(200).text
    assert text.count("leak (") == 3 and "has no live sender" in text and " waits for " in text
    leaked = debug.get("/debug/pprof/goroutineleak?debug=2").expect(200).text
    assert leaked.count("\ngoroutine ") == 2 and leaked.count(", leaked]:") == 3
    assert debug.get("/debug/pprof/goroutineleak?debug=1").expect(200).text.startswith("goroutineleak profile: total 3\n")
    for level in (0, 3):
        assert b"wait_for_own_sender" in gzip.decompress(debug.get(f"/debug/pprof/goroutineleak?debug={level}").expect(200).body)

    eventually(lambda: log_of(daemon).count("leak (") == 3, 25, "the leaks in the log")
    assert "quoll::daemon::lock_both(...)" in log_of(daemon)
    eventually(lambda: log_of(daemon).count("leak (") == 3, what="each named once")


def test_a_task_that_goes_on_without_its_client_is_overdue(make_daemon):
    daemon = make_daemon(image=False, arguments=["--test-hooks"])
    with request_under_way(daemon.http, "POST /debug/test/shield?seconds=3 HTTP/1.1\r\nHost: x\r\n\r\n"):
        eventually(lambda: "shield_from_leaving" in daemon.dump(), what="the handler in the dump")
        assert verdicts(daemon, "&grace=0") == []
    eventually(lambda: verdicts(daemon, "&grace=200ms") != [], what="a verdict")
    [verdict] = verdicts(daemon, "&grace=200ms")
    assert verdict["kind"] == "overdue" and "the client of its request left" in verdict["reason"]
    assert verdict["task"]["request"]["route"] == "/debug/test/shield"
    assert verdict["task"]["request"]["client_left_ms"] >= 200
    assert verdicts(daemon) == []  # the grace time is not over
    eventually(lambda: verdicts(daemon, "&grace=0") == [], what="its end")


@pytest.mark.parametrize("how, native", [("block", "nanosleep"), ("spin", "spin_worker")])
def test_a_blocked_worker_does_not_stop_a_dump(make_daemon, how, native):
    daemon = make_daemon(image=False, arguments=["--test-hooks", "--workers", "1"])
    idle = [daemon.http.connect() for _ in range(5)]
    head = f"POST /debug/test/{how}?seconds=6 HTTP/1.1\r\nHost: x\r\n\r\n"
    with request_under_way(daemon.http, head) as sock:
        debug = debug_client(daemon)
        eventually(lambda: "blocks its worker for" in debug.get("/debug/goroutine").expect(200).text, what="the blocked task")
        answer = debug.get("/debug/goroutine").expect(200)
        blocks = answer.text.rstrip("\n").split("\n\n")
        [blocked] = [block for block in blocks if "blocks its worker for" in block]
        assert blocked.startswith("goroutine ") and " [running, blocks its worker for " in blocked
        assert native in blocked and f"{how}_worker(...)" in blocked and "serve_connection(...)" in blocked
        assert sum("http.accept" in block or "accept_loop(...)" in block for block in blocks) >= 2
        assert sum("[IO wait" in block and "serve_connection(...)" in block for block in blocks) >= 5
        listed = debug.get("/debug/tasks").expect(200).json()
        assert listed["dump"]["complete"] and [worker["name"] for worker in listed["dump"]["silent_workers"]] == ["worker-0"]
        [task] = [task for task in listed["tasks"] if task["id"] == listed["dump"]["silent_workers"][0]["running"]]
        assert task["state"] == "running" and task["running_ms"] > 0 and task["request"]["route"] == f"/debug/test/{how}"
        assert any(native in frame for frame in task["native_stack"])
        assert f"{how}_worker" in debug.get(f"/debug/goroutine?match={how}_worker").expect(200).text
        eventually(lambda: "worker-0 has been blocked for" in log_of(daemon), what="the watchdog's line")
        assert f"{how}_worker(...)" in log_of(daemon)
        assert sock.recv(64).startswith(b"HTTP/1.1 200")
    eventually(lambda: "worker-0 goes on" in log_of(daemon), what="the watchdog's last line")
    for connection in idle:
        connection.close()
    assert verdicts(daemon) == []


def test_a_stopped_child_blocks_nobody_and_is_no_leak(make_daemon):
    daemon = make_daemon()
    container = containers.run(daemon, containers.SILENT, name="stopped")
    [monitor] = [pid for pid, line in leftovers.monitor_processes(daemon.base).items() if container in line]
    os.kill(monitor, signal.SIGSTOP)
    try:
        with request_under_way(daemon.http, f"POST /containers/{container}/wait HTTP/1.1\r\nHost: x\r\n\r\n"):
            eventually(lambda: "wait_container" in daemon.dump(), what="the waiting handler")
            [task] = debug_client(daemon).get("/debug/tasks?match=wait_container").expect(200).json()["tasks"]
            assert (task["request"]["container_id"], task["request"]["container"]) == (container, "stopped")
            assert "wait_container" in debug_client(daemon).get(f"/debug/goroutine?match={container}").expect(200).text
            assert "wait_container" in debug_client(daemon).get("/debug/goroutine?match=%5Estopped%24").expect(200).text
            assert verdicts(daemon, "&blocked=0&grace=0") == []
        daemon.leak_check("wait_container")
    finally:
        os.kill(monitor, signal.SIGCONT)


def test_the_debug_listener_answers_without_descriptors_left(make_daemon):
    daemon = make_daemon(image=False, wrapper=["prlimit", "--nofile=160:160"])
    clients = []
    try:
        while daemon.fd_count() < 160 and len(clients) < 400:
            clients.append(daemon.http.connect())
            if len(clients) >= 100:
                eventually(lambda: daemon.fd_count() >= min(160, len(clients)), what="accepted connections")
        for _ in range(20):
            assert "quoll::http::serve_connection" in debug_client(daemon).get("/debug/goroutine", timeout=10).expect(200).text
        assert verdicts(daemon) == []
    finally:
        for client in clients:
            client.close()
    eventually(lambda: daemon.http.get("/_ping", timeout=5).status == 200, what="service again")


def test_requests_and_differences_between_dumps(make_daemon):
    daemon = make_daemon(image=False)
    debug = debug_client(daemon)
    with request_under_way(daemon.http, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"):
        eventually(lambda: "quoll::api::events" in daemon.dump(), what="the follower of events")
        [follower] = debug.get("/debug/tasks?match=api::events%24").expect(200).json()["tasks"]
        request = follower["request"]
        assert (request["method"], request["route"], request["path"]) == ("GET", "/events", "/events")
        assert follower["ancestors"][0]["name"] == "http.accept" and follower["parent"] == follower["ancestors"][0]["id"]
        tasks = debug.get(f"/debug/tasks?request={request['id']}&match=http").expect(200).json()["tasks"]
        assert {task["name"] for task in tasks} >= {"http.connection", "http.watch"}
        before = debug.get("/debug/tasks").expect(200).json()["dump"]["id"]
        eventually(lambda: changes(debug, before).get(follower["id"]) == "same", what="a follower that stays")
    eventually(lambda: changes(debug, before).get(follower["id"]) == "gone", what="a follower that has gone")
    with request_under_way(daemon.http, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"):
        eventually(lambda: "quoll::api::events" in daemon.dump(), what="another follower")
        assert "new" in changes(debug, before).values()
    debug.get("/debug/tasks?since=999999").expect(404)
    debug.get("/debug/tasks?since=x").expect(400)


def changes(debug, since):
    answer = debug.get(f"/debug/tasks?since={since}").expect(200).json()
    assert answer["dump"]["since"] == since
    return {**{task["id"]: task["change"] for task in answer["tasks"]}, **{task["id"]: "gone" for task in answer["gone"]}}


SECRETS = ["hunter2env", "hunter2arg", "hunter2body", "hunter2auth", "hunter2query", "hunter2log"]
PLACES = ["goroutine", "goroutine?debug=1", "tasks", "leaks", "leaks?format=json", "page.json", "", "vars",
          "pprof/", "pprof/goroutine", "pprof/goroutine?debug=1", "pprof/goroutine?debug=3", "pprof/goroutineleak",
          "pprof/cmdline", "pprof/heap", "pprof/allocs", "pprof/block", "pprof/mutex", "pprof/threadcreate",
          "pprof/heap?debug=1", "pprof/profile?seconds=1", "pprof/trace?seconds=1"]


def test_no_secret_is_told(make_daemon):
    daemon = make_daemon()
    body = {"Image": "busybox", "Cmd": ["sh", "-c", "echo hunter2log; sleep 1000", "hunter2arg"], "Env": ["S=hunter2env"]}
    container = daemon.http.post("/containers/create", json=body).expect(201).json()["Id"]
    containers.start(daemon, container)
    auth = base64.b64encode(b'{"password":"hunter2auth"}').decode()
    follow = (f"GET /containers/{container}/logs?stdout=1&follow=1&x=hunter2query HTTP/1.1\r\nHost: x\r\n"
              f"X-Registry-Auth: {auth}\r\nAuthorization: Basic hunter2auth\r\n\r\n")
    upload = ("POST /containers/create?name=hunter2query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
              "Authorization: Bearer hunter2auth\r\nContent-Length: 10000\r\n\r\n" + '{"Env":["A=hunter2body"')
    debug = debug_client(daemon)
    with request_under_way(daemon.http, follow), request_under_way(daemon.http, upload):
        eventually(lambda: "logs_container" in daemon.dump() and "create_container" in daemon.dump(), what="both handlers")
        told = {}
        for place in PLACES + ["../metrics"]:
            answer = debug.get(os.path.normpath(f"/debug/{place}") + ("/" if place.endswith("/") else ""), timeout=30)
            body = answer.body
            told[place] = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        os.kill(daemon.pid, signal.SIGUSR1)
        eventually(lambda: "END goroutine stack dump" in log_of(daemon), what="the dump in the log")
    told["log"] = log_of(daemon).encode()
    assert b"logs_container" in told["goroutine"] and b"create_container" in told["tasks"]
    hidden = SECRETS + [auth]
    assert {place: [s for s in hidden if s.encode() in text] for place, text in told.items() if any(s.encode() in text for s in hidden)} == {}


def test_debug_routes_can_be_kept_to_their_own_socket(make_daemon):
    daemon = make_daemon(image=False, arguments=["--no-debug-on-hosts"])
    for path in ("/debug/goroutine", "/debug/tasks", "/debug/pprof/", "/debug/leaks", "/debug/"):
        daemon.http.get(path).expect(404)
        daemon.tcp.get(path).expect(404)
        debug_client(daemon).get(path).expect(200)
    debug_client(daemon).get("/containers/json").expect(404)


def test_debug_routes_obey_the_listeners_rules(daemon):
    for path in ("/debug/goroutine", "/debug/tasks", "/debug/leaks"):
        daemon.tcp.get(path, headers={"Host": "evil.example"}).expect(403)
        daemon.tcp.get(path, headers={"Origin": "http://evil.example"}).expect(403)
        daemon.tcp.get(path).expect(200)
    daemon.http.post("/debug/test/block?seconds=0").expect(404)

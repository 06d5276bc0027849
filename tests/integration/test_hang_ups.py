"""Five hundred clients of all routes that wait or stream, each leaving at a random moment: nothing of theirs is left."""

import json
import os
import random
import re
import time

import leftovers
from containers import create, run, start
from http_client import reset_on_close
from waiting import eventually

HANG_UPS = 500
LONGEST_STAY = 0.03
UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


def request(method, path, headers="", body=b"", whole=True):
    """The bytes of a request; one that is not whole promises more of its body than it sends."""
    length = f"Content-Length: {len(body) + (0 if whole else 1 << 20)}\r\n" if method != "GET" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n".encode() + body


def wishes(running, ended, exec_id):
    """What a client may ask for; an exec can be started once, so its id is made when it is needed."""
    path = f"/containers/{running}"
    return [
        lambda: request("GET", f"{path}/logs?follow=1&stdout=1&tail=10"),
        lambda: request("GET", f"{path}/stats"),
        lambda: request("GET", f"{path}/top"),
        lambda: request("GET", f"{path}/changes"),
        lambda: request("GET", "/events"),
        lambda: request("GET", "/system/df"),
        lambda: request("POST", f"{path}/wait?condition=next-exit"),
        lambda: request("POST", f"/containers/{ended}/wait?condition=removed"),
        lambda: request("POST", f"{path}/attach?stream=1&stdout=1&stdin=1", UPGRADE),
        lambda: request("POST", f"/exec/{exec_id()}/start", UPGRADE, json.dumps({"Detach": False}).encode()),
        lambda: request("GET", f"{path}/archive?path=/bin"),
        lambda: request("GET", f"/containers/{ended}/archive?path=/bin"),
        lambda: request("PUT", f"{path}/archive?path=/tmp", "", b"\0" * 512, whole=False),
        lambda: request("GET", f"{path}/export"),
        lambda: request("POST", f"/commit?container={ended}&repo=hung"),
        lambda: request("POST", "/images/load?quiet=1", "", b"\0" * 512, whole=False),
        lambda: request("GET", "/images/busybox/get"),
    ]


def task_count(daemon):
    return int(re.match(r"goroutine profile: total (\d+)", daemon.http.get("/debug/pprof/goroutine?debug=1").text)[1])


def children(pid):
    return [child for task in os.listdir(f"/proc/{pid}/task") for child in open(f"/proc/{pid}/task/{task}/children").read().split()]


def work_files(daemon):
    return [os.path.join(top, name) for top, _, names in os.walk(f"{daemon.root}/images/work") for name in names]


def test_five_hundred_random_hang_ups_leave_nothing(make_daemon):
    daemon = make_daemon()
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    running = run(daemon, "while true; do echo x; sleep 0.01; done", "-i")
    ended = create(daemon, "true")
    start(daemon, ended)

    def exec_id():
        body = {"Cmd": ["sleep", "0.01"], "AttachStdout": True, "AttachStdin": True}
        return daemon.http.post(f"/containers/{running}/exec", json=body).expect(201).json()["Id"]

    asked = wishes(running, ended, exec_id)
    for wish in asked:  # each once, so that what stays for good (a cache, a thread) is there before the count
        with (daemon.http if chance.random() < 0.5 else daemon.tcp).connect() as sock:
            sock.sendall(wish())
            time.sleep(LONGEST_STAY)
    eventually(lambda: children(daemon.pid) == [], what="the end of the first children")
    tasks, descriptors = task_count(daemon), daemon.fd_count_at_rest()
    monitors = leftovers.monitor_processes(daemon.base)

    for _ in range(HANG_UPS):
        over_tcp = chance.random() < 0.5
        sock = (daemon.tcp if over_tcp else daemon.http).connect()
        sock.sendall(chance.choice(asked)())
        time.sleep(chance.uniform(0, LONGEST_STAY))
        if over_tcp and chance.random() < 0.5:
            reset_on_close(sock)
        sock.close()

    eventually(lambda: children(daemon.pid) == [], 20, "no child process")
    eventually(lambda: task_count(daemon) <= tasks, 20, f"{tasks} tasks, as before")
    assert daemon.fd_count_at_rest() <= descriptors
    assert set(leftovers.monitor_processes(daemon.base)) == set(monitors)
    assert leftovers.mounts_below(daemon.base) == []
    eventually(lambda: work_files(daemon) == [], 10, "no file of an upload, a commit or a save")

"""Cases of streams: exec, attach, and what a running container costs in memory."""

import json
import os
import socket
import statistics
import subprocess
import threading
import time

import engines

LINE = b"x" * 99 + b"\n"


def hijacked(engine, path, body=None):
    """A raw socket behind the head of the answer to a POST."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(300)
    sock.connect(engine.socket)
    text = b"" if body is None else json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
    sock.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
    answer = b""
    while b"\r\n\r\n" not in answer:
        byte = sock.recv(1)
        if not byte:
            raise RuntimeError(f"{engine.name}: {path}: {answer!r}")
        answer += byte
    if b" 101 " not in answer and b" 200 " not in answer:
        raise RuntimeError(f"{engine.name}: {path}: {answer!r}")
    return sock


def read_all(sock):
    buffer = bytearray(1 << 20)
    total = 0
    while count := sock.recv_into(buffer):
        total += count
    return total


def milliseconds(work):
    start = time.monotonic()
    work()
    return (time.monotonic() - start) * 1e3


def exec_true(engine, container):
    """Create, start and the end of its stream, as `docker exec` does before it asks for the exit code."""
    body = {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True}
    created = engine.call("POST", f"/v1.41/containers/{container}/exec", body)["Id"]
    with hijacked(engine, f"/v1.41/exec/{created}/start", {"Detach": False}) as sock:
        read_all(sock)


def bare_exec(bundle, container, runtime, state, number):
    """The same by conmon and the runtime alone, in the same container."""
    with open(bundle + "/config.json", encoding="utf-8") as config:
        process = json.load(config)["process"]
    process["args"] = ["true"]
    work = f"{bundle}/bare-{number}"
    os.makedirs(work)
    with open(work + "/process", "w", encoding="utf-8") as file:
        json.dump(process, file)
    command = ["/usr/bin/conmon", "--api-version", "1", "--cid", container, "--cuuid", f"{container}-{number}",
               "--name", container, "--bundle", work, "--container-pidfile", work + "/pid", "--exit-dir", work,
               "--full-attach", "--no-sync-log", "--log-level", "error", "--log-path", "none", "--runtime", runtime,
               "--runtime-arg", "--root", "--runtime-arg", state, "--exec", "--exec-process-spec", work + "/process"]  # fmt: skip

    def run():
        reading, writing = os.pipe()
        try:
            with subprocess.Popen(command, pass_fds=[writing], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  env={"PATH": os.environ["PATH"], "_OCI_SYNCPIPE": str(writing)}):  # fmt: skip
                os.close(writing)
                with os.fdopen(reading) as answer:
                    said = [json.loads(line).get("data") for line in answer]
        finally:
            subprocess.run(["rm", "-rf", work], check=True)
        if len(said) != 2 or said[1] != 0:
            raise RuntimeError(f"conmon said {said}")

    return run


def execs(bench, engine, container, runtime):
    """Ours and the floor in turn, so that what else the machine does falls on both."""
    ours, bare = [], []
    state = engine.exec_root + "/runtime"
    for number in range(bench.size(60, 10)):
        run_bare = bare_exec(engine.bundle(container), container, runtime, state, number)
        bare.append(milliseconds(run_bare))
        ours.append(milliseconds(lambda: exec_true(engine, container)))
    return {"quoll": {"p50_ms": statistics.median(ours)}, "floor": {"p50_ms": statistics.median(bare)}}


def peer_exec(bench, engine):
    container = engine.container(["sleep", "100000"])
    times = [milliseconds(lambda: exec_true(engine, container)) for _ in range(bench.size(20, 5))]
    engine.remove(container)
    return {"p50_ms": statistics.median(times)}


def attach(bench, engine):
    """Lines through a container that copies its standard input to its standard output, and is logged."""
    body = {"Image": engines.IMAGE, "Cmd": ["cat"], "OpenStdin": True, "StdinOnce": True, "HostConfig": {"NetworkMode": "none"}}
    container = engine.call("POST", "/v1.41/containers/create", body)["Id"]
    size = bench.size(600, 60) * 1_000_000
    piece = LINE * 2600

    def send(sock):
        left = size
        while left > 0:
            count = min(left, len(piece))
            sock.sendall(piece[:count])
            left -= count
        sock.shutdown(socket.SHUT_WR)

    with hijacked(engine, f"/v1.41/containers/{container}/attach?stream=1&stdin=1&stdout=1") as sock:
        engine.call("POST", f"/v1.41/containers/{container}/start")
        watched = [*engine.pids(), engine.monitor_pid(container)]
        before = engines.cpu_seconds(watched[:-1])
        start = time.monotonic()
        sender = threading.Thread(target=send, args=[sock])
        sender.start()
        got = read_all(sock)
        seconds = time.monotonic() - start
        sender.join()
        daemon = engines.cpu_seconds(watched[:-1]) - before
    engine.remove(container)
    if got < size:
        raise RuntimeError(f"{engine.name}: {got} of {size} bytes came back")
    return {"mb_per_second": size / seconds / 1e6, "daemon_cpu_s": daemon}


def proportional_kb(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as rollup:
            total += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total


def container_memory(bench, engine):
    """PSS of the daemon, more with containers than without, and of their monitors, for each."""
    number = bench.size(50, 10)
    warm = engine.container(["sleep", "100000"])
    before = proportional_kb(engine.pids())
    containers = [engine.container(["sleep", "100000"]) for _ in range(number)]
    time.sleep(1)
    monitors = [engine.monitor_pid(container) for container in containers]
    each = (proportional_kb(engine.pids()) - before + proportional_kb(monitors)) / number
    for container in [*containers, warm]:
        engine.remove(container)
    return {"mb_each": each / 1024}

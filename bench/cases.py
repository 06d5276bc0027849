"""What is measured. Each case takes a Bench and an engine, and returns a dict of figures."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

FOLLOW = "/v1.41/containers/{}/logs?stdout=1&follow=1"
READ = "/v1.41/containers/{}/logs?stdout=1"
LINE_BYTES = 100


class Bench:
    """Where the programs are, how large the cases are, and the files that they share."""

    def __init__(self, binaries, work, quick):
        self.binaries = binaries
        self.work = work
        self.quick = quick

    def size(self, full, quick):
        return quick if self.quick else full

    def program(self, name):
        return os.path.join(self.binaries, name)

    def run(self, name, *words, **options):
        """Runs a load generator; `options` become --name value, with dashes. Returns what it prints."""
        command = [self.program(name), *map(str, words)]
        for key, value in options.items():
            command += ["--" + key.replace("_", "-"), str(value)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
        return json.loads(done.stdout)

    def view(self, engine):
        """The options by which a load generator watches a daemon's tasks, descriptors and memory."""
        options = {"pids": ",".join(map(str, engine.pids()))}
        if engine.debug_prefix:
            options |= {"debug_target": engine.debug_target(), "debug_prefix": engine.debug_prefix}
        return options

    def follow(self, engine, mode, container, path=FOLLOW, **options):
        if not engine.sends_header_at_once:
            options["header_ms"] = 1500
        return self.run("follow_load", mode, target=options.pop("target", engine.socket), path=path.format(container), **options)


class Writer:
    """A container that runs line_writer, and the directory that it shares with the host."""

    def __init__(self, bench, engine, *words):
        self.engine = engine
        self.directory = tempfile.mkdtemp(dir=bench.work, prefix="writer-")
        shutil.copy(bench.program("line_writer"), self.directory)
        self.go_file = self.directory + "/go"
        self.container = engine.container(["/bench/line_writer", *map(str, words)], [self.directory + ":/bench"])

    def go(self):
        with open(self.go_file, "w", encoding="utf-8"):
            pass

    def seconds(self):
        """Waits until all is written; the seconds that it took the writer."""
        end = time.monotonic() + 300
        while not os.path.exists(self.directory + "/done"):
            if time.monotonic() > end:
                raise RuntimeError(f"{self.engine.name}: the writer has not ended")
            time.sleep(0.02)
        with open(self.directory + "/done", encoding="utf-8") as done:
            return float(done.read())

    def close(self):
        self.engine.remove(self.container)


def median_of(rounds):
    """The median of each figure of some rounds of one case."""
    return {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}


NO_NETWORK = {"NetworkMode": "none"}
DEFAULT_BRIDGE = {"NetworkMode": "bridge"}
FIFTY_PORTS = {"PortBindings": {f"{port}/tcp": [{"HostPort": ""}] for port in range(1, 51)}, **DEFAULT_BRIDGE}


def cycle(bench, engine, workers, count, host=NO_NETWORK):
    body = os.path.join(bench.work, "create.json")
    with open(body, "w", encoding="utf-8") as file:
        json.dump({"Image": "busybox:latest", "Cmd": ["true"], "HostConfig": host}, file)
    return bench.run("cycle_load", target=engine.socket, body=body, workers=workers, count=count)


def floor(bench, quoll, runtime, workers, count):
    """The same monitor and runtime without a daemon, on the config.json of one of Quoll's own containers."""
    container = quoll.container(["sleep", "100000"])
    try:
        bundle = quoll.bundle(container)
        with open(bundle + "/config.json", encoding="utf-8") as file:
            config = json.load(file)
        config["root"]["path"] = bench.root_filesystem
        config["process"]["args"] = ["true"]
        # The bare runtime compiles the profile; a compiled one is an idea of the daemon's (decision 6).
        config.pop("annotations", None)
        work = tempfile.mkdtemp(dir=quoll.run, prefix="floor-")
        # The id is each run's own, but what is mounted from the container's directory stays where it is.
        files = quoll.root + "/containers/"
        text = json.dumps(config).replace(container, "@ID@").replace(files + "@ID@", files + container)
        with open(work + "/config", "w", encoding="utf-8") as file:
            file.write(text)
        hybrid = os.path.ismount("/sys/fs/cgroup/unified") and os.path.basename(runtime) == "crun"
        return bench.run(
            "floor", monitor="/usr/bin/conmon", runtime=runtime, config=work + "/config", work=work, workers=workers,
            count=count, hide_unified=int(hybrid),
        )  # fmt: skip
    finally:
        quoll.remove(container)


def idle(_bench, engine, resident_kb):
    engine.restart()
    time.sleep(2)
    return {"mb": resident_kb(engine.pids()) / 1024, "own_mb": resident_kb(engine.pids(), "RssAnon") / 1024}


def listing(bench, engine):
    containers = [engine.container(["sleep", "100000"]) for _ in range(bench.size(50, 10))]
    try:
        seconds = bench.size(4, 1)
        return bench.run(
            "http_load", target=engine.socket, path="/v1.41/containers/json", connections=8, seconds=seconds
        )
    finally:
        for container in containers:
            engine.remove(container)


def inspecting(bench, engine):
    container = engine.container(["sleep", "100000"])
    try:
        return bench.run(
            "http_load", target=engine.socket, path=f"/v1.41/containers/{container}/json", connections=8,
            seconds=bench.size(4, 1),
        )  # fmt: skip
    finally:
        engine.remove(container)


def ping(bench, target):
    return bench.run("http_load", target=target, path="/_ping", connections=64, seconds=bench.size(3, 1))


def hold(bench, engine, reset=False, tcp=False):
    container = engine.container(["sleep", "100000"])
    try:
        return bench.follow(
            engine, "hold", container, followers=bench.size(1000, 200), rounds=bench.size(5, 2), reset=int(reset),
            target=engine.tcp if tcp else engine.socket, **bench.view(engine),
        )  # fmt: skip
    finally:
        engine.remove(container)


def hang_up(bench, engine):
    container = engine.container(["sleep", "100000"])
    try:
        count = bench.size(500, 50) if engine.sends_header_at_once else 20
        return bench.follow(engine, "hangup", container, count=count, **bench.view(engine))
    finally:
        engine.remove(container)


def latency(bench, engine):
    count = bench.size(1000, 200)
    writer = Writer(bench, engine, "stamp", count, 3000)
    try:
        return bench.follow(engine, "latency", writer.container, count=count, go=writer.go_file)
    finally:
        writer.close()


def settled_cpu(pids, cpu_seconds):
    """The processor time of processes once it has stopped growing."""
    last = -1.0
    while (now := cpu_seconds(pids)) - last > 0.015:
        last = now
        time.sleep(0.5)
    return now


def write_and_read(bench, engine, cpu_seconds):
    """A container writes 200 MB; then the log is read, whole and its tail."""
    lines = bench.size(2_000_000, 200_000)
    writer = Writer(bench, engine, "burst", lines, LINE_BYTES)
    try:
        pids = engine.pids() + [engine.monitor_pid(writer.container)]
        before = settled_cpu(pids, cpu_seconds)
        writer.go()
        seconds = writer.seconds()
        figures = {"write_mb": lines * LINE_BYTES / 1e6 / seconds, "cpu_s": settled_cpu(pids, cpu_seconds) - before}
        whole = bench.follow(engine, "read", writer.container, READ, count=lines)
        tail = bench.run(
            "http_load", target=engine.socket, path=READ.format(writer.container) + "&tail=100", connections=1,
            seconds=bench.size(2, 1),
        )  # fmt: skip
        return figures | {
            "read_mb": whole["mb_per_second"], "read_lost": whole["lost"],
            "tail_ms": tail["p50_us"] / 1000, "tail_bytes": tail["body_bytes"],
        }  # fmt: skip
    finally:
        writer.close()


def burst(bench, engine):
    lines = bench.size(200_000, 40_000)
    writer = Writer(bench, engine, "burst", lines, LINE_BYTES)
    try:
        followers = bench.size(100, 20)
        return bench.follow(engine, "burst", writer.container, followers=followers, count=lines, go=writer.go_file)
    finally:
        writer.close()


def micro(bench, name):
    done = subprocess.run(
        [bench.program(name), "--benchmark_format=json", "--benchmark_repetitions=5",
         "--benchmark_report_aggregates_only=true", f"--benchmark_min_time={bench.size(0.2, 0.05)}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    figures = {}
    for row in json.loads(done.stdout)["benchmarks"]:
        if row.get("aggregate_name") == "median":
            figures[row["run_name"]] = row
    return figures

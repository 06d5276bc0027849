"""What it costs to be watched: dumps of very many tasks, and what samples, a CPU profile and dumps take from requests."""

import statistics
import subprocess
import time


class DumpTarget:
    """dump_target, or its peer in Go: a program with `count` blocked tasks, and its timer's longest stall."""

    def __init__(self, command, count):
        self.process = subprocess.Popen([*command, str(count), "0"], stdout=subprocess.PIPE, text=True)
        self.base = f"http://127.0.0.1:{self.process.stdout.readline().split()[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, path, *arguments):
        done = subprocess.run(["curl", "-sS", "--fail", *arguments, self.base + path], capture_output=True, text=True,
                              timeout=900, check=False)  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{path}: {done.stderr.strip()}")
        return done.stdout

    def stall_us(self):
        return float(self.ask("/stall"))

    def seconds_of(self, path):
        return float(self.ask(path, "-o", "/dev/null", "-w", "%{time_total}"))

    def shown(self):
        with subprocess.Popen(["curl", "-sS", self.base + "/debug/pprof/goroutine?debug=2"], stdout=subprocess.PIPE) as dump:
            return int(subprocess.run(["grep", "-c", "^goroutine "], stdin=dump.stdout, capture_output=True, text=True,
                                      timeout=900, check=False).stdout)  # fmt: skip


# Dumps back to back have to wait for one another, no longer than this.
DUMP_PAUSE = 0.3


def dumps(command, count, rounds):
    """Dumps of all tasks, and by how much the timer's longest stall is longer than in as long a time without one."""
    found = {"ms": [], "debug0_ms": [], "debug1_ms": [], "stall_ms": [], "quiet_ms": []}
    with DumpTarget(command, count) as target:
        target.seconds_of("/debug/pprof/goroutine?debug=2")
        for _ in range(rounds):
            time.sleep(DUMP_PAUSE)
            target.stall_us()
            took = target.seconds_of("/debug/pprof/goroutine?debug=2")
            found["stall_ms"].append(target.stall_us() / 1000)
            time.sleep(took)
            found["quiet_ms"].append(target.stall_us() / 1000)
            found["ms"].append(took * 1000)
            for level in (0, 1):
                time.sleep(DUMP_PAUSE)
                found[f"debug{level}_ms"].append(target.seconds_of(f"/debug/pprof/goroutine?debug={level}") * 1000)
        figures = {name: statistics.median(values) for name, values in found.items()}
        return figures | {"beyond_ms": figures["stall_ms"] - figures["quiet_ms"], "shown": 100 * min(1, target.shown() / count)}


def cpu_per_request(bench, engine, path, cpu_seconds):
    """Requests as fast as they are answered: throughput, and what processor time of the daemon each took."""
    before = cpu_seconds(engine.pids())
    load = bench.run("http_load", target=engine.tcp, path=path, connections=16, seconds=bench.size(2, 1))
    return load | {"cpu_us": (cpu_seconds(engine.pids()) - before) * 1e6 / load["requests"]}


class Repeated:
    """Fetches a page of the debug listener again and again over one connection, beside what is measured."""

    def __init__(self, engine, path):
        # One curl for all: a new process for each would take more of the machine than what it asks for.
        turns = ("&" if "?" in path else "?") + "turn=[1-100000000]"
        self.process = subprocess.Popen(
            ["curl", "-sf", "--fail-early", "-o", "/dev/null", "--unix-socket", engine.debug_target(), f"http://x{path}{turns}"]
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        ended = self.process.poll() is not None
        self.process.kill()
        self.process.wait()
        if ended:
            raise RuntimeError("a page of the debug listener was not answered")


def cost_of(rounds, measure, measure_base, before=lambda: None):
    """Both in turn, `before` called before each pair; the cost of the first over the second in per cent of processor time, by the median of the rounds'
    ratios, and likewise the share of throughput lost and the ratio of the p99s."""
    pairs = []
    for number in range(rounds):
        before()
        pairs.append((measure(), measure_base()) if number % 2 else (measure_base(), measure())[::-1])

    def ratio(key):
        return statistics.median(ours[key] / base[key] for ours, base in pairs)

    return {"cpu_percent": 100 * (ratio("cpu_us") - 1), "lost_percent": 100 * (1 - ratio("per_second")),
            "p99_ratio": ratio("p99_us")}  # fmt: skip

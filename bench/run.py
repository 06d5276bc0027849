#!/usr/bin/python3
"""Measures Quoll, and beside it in the same run dockerd, podman and the bare commands, where they are installed.

    bench/run.py [--quick] [--write] [--only-quoll] [--realtime] [--bin DIR] [CASE...]

CASE is one of: cycle parallel network list ping idle hold hangup latency log burst copy inspect exec attach memory pull
load tracking dump observed; all if none is given.
--quick takes small sizes, to see that it works; --write writes docs/BENCHMARKS.md; --bin is where the programs are,
build/release/bin as a rule. --realtime runs the programs of `dump` with real-time priority, so that a timer's stalls
are their own and not those of whatever else the machine does. Runs as root.
"""

import argparse
import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

import cases
import copies
import engines
import images
import report
import streams
import watching

ALL = ["cycle", "parallel", "network", "list", "ping", "idle", "hold", "hangup", "latency", "log", "burst", "copy",
       "inspect", "exec", "attach", "memory", "pull", "load", "tracking", "dump", "observed"]
ROUNDS = 3


class Run:
    def __init__(self, bench, wanted, only_quoll, realtime):
        self.bench = bench
        self.realtime = realtime
        self.wanted = wanted
        self.only_quoll = only_quoll
        self.results = {}
        self.versions = {}
        self.notes = []

    def keep(self, case, name, measure):
        """Measures one case of one engine; a failure is a note, and the others go on."""
        if case not in self.wanted:
            return
        print(f"{case}: {name} …", file=sys.stderr, flush=True)
        try:
            self.results.setdefault(case, {})[name] = measure()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            self.notes.append(f"{case}, {name}: {error}")
            print(f"  failed: {error}", file=sys.stderr)

    def with_engine(self, engine, measure):
        try:
            engine.start()
            self.versions[engine.name] = engine.version()
            engine.load_image(self.bench.image)
            measure(engine)
        except (engines.CannotRun, RuntimeError, OSError) as error:
            self.notes.append(f"{engine.name}: {error}")
            print(f"{engine.name}: {error}", file=sys.stderr)
        finally:
            try:
                engine.remove_all()
            except (RuntimeError, OSError):
                pass  # it does not run
            engine.stop()

    # One after the other, floor and daemon in turn: so that what else the machine does falls on both.
    def life_cycles(self, engine):
        runtime = shutil.which(engine.runtime, path="/usr/sbin:/usr/bin:/sbin:/bin")
        count = self.bench.size(20, 5)
        for case, workers, each in (("cycle", 1, count), ("parallel", 8, self.bench.size(10, 2))):
            if case not in self.wanted:
                continue
            ours, bare = [], []

            def floor(workers=workers, each=each, bare=bare):
                bare.append(cases.floor(self.bench, engine, runtime, workers, each))
                return cases.median_of(bare)

            def cycle(workers=workers, each=each, ours=ours):
                ours.append(cases.cycle(self.bench, engine, workers, each))
                return cases.median_of(ours)

            for _ in range(ROUNDS):
                self.keep(case, "floor-" + engine.runtime, floor)
                self.keep(case, engine.name, cycle)

    def networks(self, engine):
        hosts = {"without": cases.NO_NETWORK, "bridge": cases.DEFAULT_BRIDGE, "ports": cases.FIFTY_PORTS}
        found = {name: [] for name in hosts}
        for _ in range(ROUNDS):
            for name, host in hosts.items():
                def cycle(name=name, host=host):
                    found[name].append(cases.cycle(self.bench, engine, 1, self.bench.size(20, 5), host))
                    return cases.median_of(found[name])
                self.keep("network", name, cycle)

    def peer(self, engine):
        bench = self.bench
        self.keep("idle", engine.name, lambda: cases.idle(bench, engine, engines.resident_kb))
        self.keep("hold", engine.name, lambda: cases.hold(bench, engine))
        self.keep("hangup", engine.name, lambda: cases.hang_up(bench, engine))
        self.keep("latency", engine.name, lambda: cases.latency(bench, engine))
        self.keep("log", engine.name, lambda: cases.write_and_read(bench, engine, engines.cpu_seconds))
        self.keep("burst", engine.name, lambda: cases.burst(bench, engine))
        self.keep("copy", engine.name, lambda: copies.copying(bench, engine))
        self.keep("list", engine.name, lambda: cases.listing(bench, engine))
        self.keep("inspect", engine.name, lambda: cases.inspecting(bench, engine))
        self.keep("attach", engine.name, lambda: streams.attach(bench, engine))
        self.keep("memory", engine.name, lambda: streams.container_memory(bench, engine))
        self.keep("pull", engine.name, lambda: images.pulling(bench, engine))
        self.keep("load", engine.name, lambda: images.loading(bench, engine))
        if not isinstance(engine, engines.Quoll):
            self.keep("exec", engine.name, lambda: streams.peer_exec(bench, engine))
            self.keep("cycle", engine.name, lambda: cases.cycle(bench, engine, 1, bench.size(20, 5)))
            self.keep("parallel", engine.name, lambda: cases.cycle(bench, engine, 8, bench.size(5, 2)))
            self.keep("ping", engine.name, lambda: cases.ping(bench, engine.socket))
        else:
            self.execs(engine)
            self.keep("hold", "quoll-reset", lambda: cases.hold(bench, engine, reset=True, tcp=True))

    def execs(self, engine):
        """Quoll's and the floor's, from one loop."""
        if "exec" not in self.wanted:
            return
        runtime = next(path for path in map(shutil.which, ("crun", "runc")) if path)
        container = engine.container(["sleep", "100000"])
        both = {}
        self.keep("exec", "quoll", lambda: both.update(streams.execs(self.bench, engine, container, runtime)) or both["quoll"])
        if both:
            self.results["exec"]["floor"] = both["floor"]
        engine.remove(container)

    def pings(self):
        """Beast, Quoll and Quoll with one worker, in turn."""
        found = {"beast": [], "quoll": [], "quoll-1": []}
        base = f"{self.bench.work}-ping"
        daemons = [engines.Quoll(base, self.bench.binaries, workers=number) for number in (0, 1)]
        with subprocess.Popen([self.bench.program("beast_ping_server")], stdout=subprocess.PIPE, text=True) as beast:
            try:
                targets = {"beast": f"127.0.0.1:{beast.stdout.readline().strip()}"}
                for daemon in daemons:
                    daemon.start()
                    targets[daemon.name] = daemon.tcp
                for _ in range(ROUNDS):
                    for name, target in targets.items():
                        found[name].append(cases.ping(self.bench, target))
                        self.keep("ping", name, lambda name=name: cases.median_of(found[name]))
            finally:
                for daemon in daemons:
                    daemon.stop()
                beast.terminate()

    def tracking(self):
        tracked = cases.micro(self.bench, "quoll_task_bench")
        bare = cases.micro(self.bench, "quoll_task_bench_untracked")

        def extra(name):
            return tracked[name]["cpu_time"] - bare[name]["cpu_time"]

        memory = next(row for name, row in tracked.items() if name.startswith("memory_of_a_task"))
        return {
            "await_ns": extra("await_ready_child"), "suspend_ns": extra("suspend_and_resume"),
            "task_bytes": memory["bytes_per_task"],
        }  # fmt: skip

    def dumps(self):
        """A program with as many blocked tasks as the case says, and one in Go with as many goroutines."""
        if self.realtime:  # what is started from here on inherits it
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        peer = os.path.join(self.bench.work, "dump_target_go")
        for count in self.bench.size((100_000, 1_000_000), (10_000,)):
            case = f"dump-{count}"
            self.wanted.append(case)
            ours = [self.bench.program("dump_target")]
            self.keep(case, "quoll", lambda: watching.dumps(ours, count, self.bench.size(21, 2)))
            if self.only_quoll:
                continue
            if not os.path.exists(peer):
                source = os.path.join(engines.TREE, "bench/dump_target.go")
                environment = os.environ | {"GOCACHE": self.bench.work + "/go-cache", "GO111MODULE": "off"}
                subprocess.run(["go", "build", "-o", peer, source], env=environment, check=True)
            self.keep(case, "go", lambda: watching.dumps([peer], count, 1))
        if self.realtime:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def observed(self):
        """What it costs to be watched: heap samples, a CPU profile, dumps back to back."""
        bench = self.bench
        rounds = bench.size(9, 1)
        base = f"{bench.work}-observed"
        sampled = engines.Quoll(base, bench.binaries)
        plain = engines.Quoll(base, bench.binaries, name="quoll-unsampled", arguments=["--heap-sample-bytes", "0"])

        def load(engine, path):
            return watching.cpu_per_request(bench, engine, path, engines.cpu_seconds)

        def beside(page, path):
            with watching.Repeated(sampled, page):
                return load(sampled, path)

        def restart():
            # Where its memory lies makes a process faster or slower by some per cent: a new place for each round.
            for engine in (sampled, plain):
                engine.stop()
                engine.start()

        try:
            for engine in (sampled, plain):
                engine.start()
            for name, path in (("ping", "/_ping"), ("list", "/v1.41/containers/json")):
                self.keep("observed", f"heap-{name}",
                          lambda path=path: watching.cost_of(rounds, lambda: load(sampled, path), lambda: load(plain, path), restart))
                self.keep("observed", f"cpu-{name}",
                          lambda path=path: watching.cost_of(rounds, lambda: beside("/debug/pprof/profile?seconds=30", path),
                                                             lambda: load(sampled, path)))
            sampled.load_image(bench.image)
            writer = cases.Writer(bench, sampled, "stamp", 1_000_000, 3000)
            crowd = [subprocess.Popen(["curl", "-sNo", "/dev/null", "--unix-socket", sampled.socket,
                                       "http://x" + cases.FOLLOW.format(writer.container)]) for _ in range(20)]
            try:
                writer.go()
                self.keep("observed", "dumps", lambda: watching.cost_of(rounds, lambda: beside("/debug/goroutine", "/_ping"),
                                                                        lambda: load(sampled, "/_ping")))
            finally:
                for follower in crowd:
                    follower.kill()
                    follower.wait()
                writer.close()
        finally:
            for engine in (sampled, plain):
                engine.stop()

    def all(self):
        bench = self.bench
        lives = {"cycle", "parallel"} & set(self.wanted)
        others = set(self.wanted) - {"cycle", "parallel", "network", "ping", "tracking", "dump", "observed"}
        with_peers = set(self.wanted) - {"network", "tracking", "dump", "observed"}
        self.keep("tracking", "quoll", self.tracking)
        if "dump" in self.wanted:
            self.dumps()
        if "ping" in self.wanted:
            self.pings()
        if "observed" in self.wanted:
            self.observed()
        self.keep("hangup", "in-process", lambda: bench.run("hangup_bench", count=bench.size(3000, 300)))
        for runtime in ("crun", "runc") if lives else ():
            self.with_engine(engines.Quoll(bench.work, bench.binaries, runtime), self.life_cycles)
        if "network" in self.wanted:
            self.with_engine(engines.Quoll(bench.work, bench.binaries, name="quoll-networks"), self.networks)
        if others:
            self.with_engine(engines.Quoll(bench.work, bench.binaries), self.peer)
        if not self.only_quoll and with_peers:
            self.with_engine(engines.Dockerd(bench.work), self.peer)
            self.with_engine(engines.Podman(bench.work), self.peer)


def clean_up(work):
    """Unmounts and removes what is below `work`, and the engines' directories on a tmpfs (engines.runtime_directory)."""
    name = os.path.basename(work)
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        below = [line.split()[1] for line in mounts if name in line.split()[1]]
    for mount in reversed(below):
        subprocess.run(["umount", "--lazy", mount], check=False)
    for directory in [work, *glob.glob(f"/run/*{name}*"), *glob.glob(f"/dev/shm/*{name}*")]:
        shutil.rmtree(directory, ignore_errors=True)


def prepare_image(bench):
    bench.image = os.path.join(bench.work, "busybox.tar")
    bench.root_filesystem = os.path.join(bench.work, "rootfs")
    # Our own file of a moment ago, so that nothing in it needs distrust.
    subprocess.run([os.path.join(engines.TREE, "scripts/make-busybox-image"), bench.image], check=True)
    with tarfile.open(bench.image) as image:
        layer = next(name for name in image.getnames() if name.endswith("layer.tar"))
        with tarfile.open(fileobj=image.extractfile(layer)) as files:
            files.extractall(bench.root_filesystem)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only-quoll", action="store_true")
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("--bin", default=os.path.join(engines.TREE, "build/release/bin"))
    options = parser.parse_args()
    unknown = set(options.cases) - set(ALL)
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {' '.join(ALL)}")

    work = tempfile.mkdtemp(prefix="quoll-bench-")
    load = os.getloadavg()[0]
    started = time.monotonic()
    bench = cases.Bench(os.path.abspath(options.bin), work, options.quick)
    run = Run(bench, list(options.cases or ALL), options.only_quoll, options.realtime)
    try:
        prepare_image(bench)
        run.all()
    finally:
        for directory in (work, f"{work}-ping", f"{work}-observed"):
            clean_up(directory)
    print()
    report.print_table(run.results)
    for note in run.notes:
        print("note:", note)
    print(f"{time.monotonic() - started:.0f} s; load when it began {load:.1f}, at the end {os.getloadavg()[0]:.1f}")
    if options.write:
        path = os.path.join(engines.TREE, "docs/BENCHMARKS.md")
        report.write_document(path, run.results, run.versions, run.notes, load)
        print("wrote", path)


if __name__ == "__main__":
    main()

"""From figures to the table, on the terminal and in docs/BENCHMARKS.md."""

import dataclasses
import os
import platform
import time
from typing import Callable, Optional


@dataclasses.dataclass
class Row:
    case: str
    title: str
    figure: str
    unit: str
    limit: object  # a number, or a function of the figures of the case; None: no goal of its own
    goal: str
    higher: bool = False  # more is better
    ours: str = "quoll"
    base: Optional[str] = None  # what a ratio is taken to
    scale: float = 1.0
    extra: Optional[Callable] = None  # a further condition on our figures
    note: str = ""


def at_most_floor(factor, base):
    return lambda figures: figures[base]["p50_ms"] * factor if base in figures else None


def share_of_beast(figures):
    return 0.85 * figures["beast"]["per_second"]


ROWS = [
    Row("cycle", "create + start + wait + remove of `true`, p50, crun", "p50_ms", "ms", at_most_floor(1.5, "floor-crun"),
        "≤ 1.5 × floor", ours="quoll-crun", base="floor-crun"),
    Row("cycle", "the same with runc", "p50_ms", "ms", at_most_floor(1.5, "floor-runc"), "≤ 1.5 × floor",
        ours="quoll-runc", base="floor-runc"),
    Row("parallel", "the same with 8 workers, crun", "per_second", "/s", 40, "≥ 40 /s", True, ours="quoll-crun",
        base="floor-crun"),
    Row("parallel", "the same with 8 workers, runc", "per_second", "/s", 20, "≥ 20 /s", True, ours="quoll-runc",
        base="floor-runc"),
    Row("inspect", "`/containers/ID/json`, 8 connections", "per_second", "/s", 15000, "≥ 15,000 /s", True),
    Row("network", "create + start + wait + remove on the default bridge, p50", "p50_ms", "ms",
        lambda figures: 1.6 * figures["without"]["p50_ms"], "≤ 1.6 × without network", ours="bridge", base="without"),
    Row("network", "the same with 50 published ports", "p50_ms", "ms",
        lambda figures: 1.2 * figures["bridge"]["p50_ms"], "≤ 1.2 × without ports", ours="ports", base="bridge"),
    Row("list", "`/containers/json` with 50 running, 8 connections", "per_second", "/s", 15000, "≥ 15,000 /s", True),
    Row("ping", "`/_ping`, 64 connections, TCP", "per_second", "/s", share_of_beast, "≥ 0.85 × Beast", True, base="beast"),
    Row("ping", "`/_ping`, 64 connections, TCP, one worker", "per_second", "/s", share_of_beast, "≥ 0.85 × Beast", True,
        ours="quoll-1", base="beast"),
    Row("idle", "idle daemon, resident", "mb", "MB", 12, "≤ 12 MB"),
    Row("idle", "of that, its own memory (not files)", "own_mb", "MB", None, ""),
    Row("hold", "a silent follower costs: memory", "kb_each", "KB", 6, "≤ 6 KB"),
    Row("hold", "a silent follower costs: descriptors", "fds_each", "", 1.01, "1"),
    Row("hold", "a silent follower costs: tasks", "tasks_each", "", 2.01, "2"),
    Row("hold", "1,000 followers closed at once: all back (FIN, UNIX)", "gone_ms", "ms", 20, "≤ 20 ms",
        extra=lambda f: f["not_gone"] == 0),
    Row("hold", "the same by RST over TCP", "gone_ms", "ms", 20, "≤ 20 ms", ours="quoll-reset",
        extra=lambda f: f["not_gone"] == 0),
    Row("hangup", "one follower hangs up: task and descriptor gone, p50", "p50_ms", "ms", 1, "≤ 1 ms"),
    Row("hangup", "the same, p99", "p99_ms", "ms", 5, "≤ 5 ms", extra=lambda f: f["not_gone"] == 0),
    Row("hangup", "the same in process, UNIX, p50", "unix_p50_us", "µs", 50, "≤ 50 µs", ours="in-process"),
    Row("hangup", "the same in process, UNIX, p99", "unix_p99_us", "µs", 200, "≤ 200 µs", ours="in-process"),
    Row("hangup", "the same in process, TCP, p50", "tcp_p50_us", "µs", 50, "≤ 50 µs", ours="in-process"),
    Row("hangup", "the same in process, TCP, p99", "tcp_p99_us", "µs", 200, "≤ 200 µs", ours="in-process"),
    Row("latency", "line written in the container → follower has it, p50", "p50_ms", "ms", 0.15, "≤ 0.15 ms"),
    Row("latency", "the same, p99", "p99_ms", "ms", 1, "≤ 1 ms"),
    Row("log", "container writes 200 MB of 100-byte lines", "write_mb", "MB/s", 150, "≥ 150 MB/s", True),
    Row("log", "processor time of that, daemon and monitor", "cpu_s", "s", 1.5, "≤ 1.5 s"),
    Row("log", "reading that log, multiplexed", "read_mb", "MB/s", 400, "≥ 400 MB/s", True,
        extra=lambda f: f["read_lost"] == 0),
    Row("log", "its `tail=100`", "tail_ms", "ms", 0.3, "≤ 0.3 ms"),
    Row("burst", "100 followers of a burst of 200,000 lines, in all", "mb_per_second", "MB/s", 400, "≥ 400 MB/s", True),
    Row("burst", "of these, lines lost", "lost", "", 0, "0", extra=lambda f: f["doubled"] == 0),
    Row("copy", "`docker cp` of 1 GB into a container, of `cp`'s speed", "in_of_cp", "×", 0.5, "≥ 0.5 × cp", True),
    Row("copy", "of a ready tar by curl into a container", "upload_of_cp", "×", None, "", True),
    Row("copy", "`docker cp` of 1 GB out of a container, of `cp`'s speed", "out_of_cp", "×", 0.5, "≥ 0.5 × cp", True),
    Row("copy", "resident memory more during both", "more_mb", "MB", 20, "≤ 20 MB"),
    Row("exec", "exec of `true` in a running container, p50", "p50_ms", "ms", at_most_floor(1.5, "floor"), "≤ 1.5 × floor",
        base="floor"),
    Row("attach", "through an attached `cat` and back, 100-byte lines, logged", "mb_per_second", "MB/s", 300, "≥ 300 MB/s",
        True),
    Row("attach", "processor time of the daemon for that", "daemon_cpu_s", "s", None, ""),
    Row("memory", "a running container costs, daemon and monitor (PSS)", "mb_each", "MB", 0.6, "≤ 0.6 MB"),
    Row("pull", "pull of 500 MB in 8 layers, of the speed of `skopeo copy` and `tar xz`", "times", "×", 2,
        "≥ 2 × skopeo + tar", True),
    Row("pull", "the time of it", "seconds", "s", lambda figures: figures["dockerd"]["seconds"] / 3 if "dockerd" in figures else None,
        "≤ ⅓ of dockerd's"),
    Row("pull", "resident memory during it, at most", "peak_mb", "MB", 60, "≤ 60 MB"),
    Row("pull", "the same pull again", "again_ms", "ms", 50, "≤ 50 ms"),
    Row("load", "`docker load` of 500 MB in 8 layers, of the speed of `tar x`", "of_tar", "×", 0.5, "≥ 0.5 × tar x", True),
    Row("load", "resident memory during it, at most", "peak_mb", "MB", None, ""),
    Row("hold", "dump (debug=2) with the 1,000 followers", "dump_ms", "ms", 10, "≤ 10 ms"),
    Row("hold", "size of that dump", "dump_bytes", "MB", None, "", scale=1e-6),
    *(row for count, ms, others_ms in ((1_000_000, 1000, 1000), (100_000, 100, None)) for row in (
        Row(f"dump-{count}", f"{count:,} blocked tasks, debug=2 over HTTP", "ms", "ms", ms, f"≤ {ms} ms", base="go",
            extra=lambda f: f["shown"] == 100),
        Row(f"dump-{count}", "of these, shown", "shown", "%", 100, "100 %", True, base="go"),
        Row(f"dump-{count}", "longest stall of a 1 ms timer meanwhile, beyond that without a dump", "beyond_ms", "ms", 2,
            "≤ 2 ms", base="go"),
        Row(f"dump-{count}", "the same tasks, debug=1", "debug1_ms", "ms", others_ms, f"≤ {others_ms} ms" if others_ms else "",
            base="go"),
        Row(f"dump-{count}", "the same tasks, debug=0", "debug0_ms", "ms", others_ms, f"≤ {others_ms} ms" if others_ms else "",
            base="go"))),
    Row("observed", "heap sampling: processor time of a `/_ping`", "cpu_percent", "%", 2, "≤ 2 %", ours="heap-ping"),
    Row("observed", "heap sampling: of a `/containers/json`", "cpu_percent", "%", 2, "≤ 2 %", ours="heap-list"),
    Row("observed", "CPU profile at 100 Hz: processor time of a `/_ping`", "cpu_percent", "%", 2, "≤ 2 %", ours="cpu-ping"),
    Row("observed", "CPU profile at 100 Hz: of a `/containers/json`", "cpu_percent", "%", 2, "≤ 2 %", ours="cpu-list"),
    Row("observed", "dumps back to back: `/_ping` throughput lost, with 20 followers", "lost_percent", "%", 10, "≤ 10 %",
        ours="dumps"),
    Row("observed", "the same: p99 to that without", "p99_ratio", "×", 2, "≤ 2 ×", ours="dumps"),
    Row("tracking", "tracking: an await", "await_ns", "ns", 1, "≤ 1 ns over untracked"),
    Row("tracking", "tracking: a suspension", "suspend_ns", "ns", 5, "≤ 5 ns over untracked"),
    Row("tracking", "a task blocked 4 frames deep", "task_bytes", "B", 900, "≤ 900 B"),
]  # fmt: skip


def number(value):
    if value is None:
        return ""
    if abs(value) >= 10000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def shown(row, figures):
    if figures is None or row.figure not in figures:
        return ""
    if row.figure == "tasks_each" and figures[row.figure] == 0:
        return "not shown"
    if row.figure.startswith("dump") and not figures["dump_bytes"]:
        return "none"
    text = f"{number(figures[row.figure] * row.scale)} {row.unit}".strip()
    if figures.get("not_gone") and row.figure in ("gone_ms", "p50_ms", "p99_ms"):
        late = f"{int(figures['not_gone'])} of {int(figures['of'])} not within 3 s"
        return f"{text}; {late}" if figures[row.figure] else late
    return text


def met(row, figures, of_case):
    if row.limit is None:
        return ""
    limit = row.limit(of_case) if callable(row.limit) else row.limit
    if limit is None:
        return "?"
    value = figures[row.figure]
    good = value >= limit if row.higher else value <= limit
    return "yes" if good and (row.extra is None or row.extra(figures)) else "**no**"


def lines_of(results):
    """(title, ours, goal, met, base, ratio to base, dockerd, podman) of each row that was measured."""
    lines = []
    for row in ROWS:
        of_case = results.get(row.case, {})
        figures = of_case.get(row.ours)
        if figures is None:
            continue
        base = of_case.get(row.base) if row.base else None
        ratio = f"{figures[row.figure] / base[row.figure]:.2f}" if base else ""
        lines.append((row.title, shown(row, figures), row.goal, met(row, figures, of_case), shown(row, base), ratio,
                      shown(row, of_case.get("dockerd")), shown(row, of_case.get("podman"))))  # fmt: skip
    return lines


HEADER = ("case", "Quoll", "goal", "met", "floor", "× floor", "dockerd", "podman")


def print_table(results):
    table = [HEADER] + lines_of(results)
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def markdown_table(results):
    lines = [HEADER, ("---",) * len(HEADER)] + lines_of(results)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors ({model}), {memory:.0f} GB, Linux {platform.release()}"


def write_document(path, results, versions, notes, load_before):
    with open(os.path.join(os.path.dirname(__file__), "BENCHMARKS.in.md"), encoding="utf-8") as template:
        text = template.read()
    text = text.replace("@TABLE@", markdown_table(results))
    text = text.replace("@MACHINE@", machine()).replace("@DATE@", time.strftime("%Y-%m-%d"))
    text = text.replace("@LOAD@", f"{load_before:.1f}")
    text = text.replace("@VERSIONS@", "\n".join(f"- {name} {version}" for name, version in versions.items()))
    text = text.replace("@NOTES@", "\n".join(f"- {note}" for note in notes) or "- none")
    with open(path, "w", encoding="utf-8") as document:
        document.write(text)

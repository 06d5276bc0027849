"""What a daemon may leave on the host when it should leave nothing: monitors, mounts, cgroups."""

import glob
import os
import signal
import subprocess


def conmon_processes(base):
    """{pid: command line} of the live conmon processes that have a path below `base` among their arguments."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                arguments = file.read().split(b"\0")
        except OSError:
            continue  # it has ended in the meantime
        # A zombie's command line is empty: it holds nothing but its number.
        if os.path.basename(arguments[0]) == b"conmon" and any(os.fsencode(base) in word for word in arguments):
            found[int(entry)] = b" ".join(arguments).decode(errors="replace")
    return found


def mounts_below(base):
    """Mount points below `base` in this mount namespace, the deepest first."""
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4].replace("\\040", " ") for line in file]
    return sorted((point for point in points if point == base or point.startswith(base + "/")), reverse=True)


def cgroups():
    """The containers' cgroup directories of every quolld on this host, in all hierarchies."""
    return set(glob.glob("/sys/fs/cgroup/quoll/*/")) | set(glob.glob("/sys/fs/cgroup/*/quoll/*/"))


def empty_cgroups(before):
    """The cgroups that came after `before` and that no process is in."""
    found = set()
    for path in cgroups() - before:
        try:
            with open(path + "cgroup.procs") as file:
                if not file.read():
                    found.add(path)
        except OSError:
            continue  # it has gone in the meantime
    return found


def clear(base):
    """Removes what is left below `base`, so that one test's left-overs do not fail the next."""
    for pid in conmon_processes(base):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for point in mounts_below(base):
        subprocess.run(["umount", "--lazy", point], check=False)

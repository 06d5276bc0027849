"""What a daemon may leave on the host when it should leave nothing: monitors, mounts, cgroups."""

import glob
import os
import signal
import subprocess


def monitor_processes(base):
    """{pid: command line} of the live monitors that have a path below `base` among their arguments."""
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
        if os.path.basename(arguments[0]) == b"quoll-monitor" and any(os.fsencode(base) in word for word in arguments):
            found[int(entry)] = b" ".join(arguments).decode(errors="replace")
    return found


def mounts_below(base):
    """Mount points below `base` in this mount namespace, the deepest first."""
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4].replace("\\040", " ") for line in file]
    return sorted((point for point in points if point == base or point.startswith(base + "/")), reverse=True)


def cgroup_directories(path):
    """Where `path` is in each hierarchy that has it."""
    return glob.glob(f"/sys/fs/cgroup{path}/") + glob.glob(f"/sys/fs/cgroup/*{path}/")


def cgroups_below(parent):
    """The cgroups below `parent`, in all hierarchies: those of containers that are there or have left them."""
    return {entry for top in cgroup_directories(parent) for entry in glob.glob(top + "*/")}


def clear(base, cgroup_parent):
    """Removes what is left below `base`, so that one test's left-overs do not fail the next."""
    for pid in monitor_processes(base):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for point in mounts_below(base):
        subprocess.run(["umount", "--lazy", point], check=False)
    for top in cgroup_directories(cgroup_parent):
        # The deepest first: a cgroup with another inside cannot be removed.
        for directory, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass  # its last process is still ending

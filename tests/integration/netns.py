"""A network namespace of the tests' own: what daemons under test do to links, routes and firewall rules happens in it."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000


def enter_private_network():
    """Moves this process, and with it all that it starts, into a new network namespace that has loopback alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare of the network namespace: the tests need root")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextlib.contextmanager
def outside_world(name, ours="192.0.2.1", theirs="192.0.2.2"):
    """A neighbour of our network namespace, linked to it, as hosts are on a real network. Gives the words before a
    command that run it there."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for line in (f"link add {name} type veth peer name eth0 netns {name}", f"addr add {ours}/24 dev {name}",
                     f"link set {name} up", f"-n {name} addr add {theirs}/24 dev eth0", f"-n {name} link set lo up",
                     f"-n {name} link set eth0 up"):
            subprocess.run(["ip", *line.split()], check=True)
        yield ["nsenter", f"--net=/run/netns/{name}"]
    finally:
        subprocess.run(["ip", "link", "delete", name], check=False)
        subprocess.run(["ip", "netns", "delete", name], check=False)


def own_links(installation):
    """The links that a daemon has made and that are still there."""
    group = int(installation[:8], 16) & 0x3fffffff | 1 << 30
    listing = subprocess.run(["ip", "-o", "link", "show", "group", str(group)], capture_output=True, text=True)
    return [line.split(":")[1].strip() for line in listing.stdout.splitlines()]


def own_tables(installation):
    listing = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    return [line for line in listing.stdout.splitlines() if f"quoll_{installation[:12]}" in line]


def name_servers(base):
    """The aardvark-dns processes that have a path below `base` among their arguments."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                arguments = file.read()
        except OSError:
            continue
        if b"aardvark-dns" in arguments and os.fsencode(base) in arguments:
            found.append(int(entry))
    return found


def rules():
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout

"""Containers as most tests want them, and what their logs say."""

import calendar
import re
import struct
import time

SILENT = "while true; do sleep 1; done"
# With a directory of the host as /gate: waits until the file `go` is in it.
GATE = "while [ ! -e /gate/go ]; do sleep 0.02; done"


def run(daemon, script, *options, name=None):
    """docker run -d of a shell script in busybox; returns the container's id."""
    names = ["--name", name] if name else []
    return daemon.docker("run", "-d", *names, *options, "busybox", "sh", "-c", script).stdout.strip()


def create(daemon, script="true", name=None, tty=False, **host):
    """Over the API alone, without the docker command's own time. Returns the container's id."""
    body = {"Image": "busybox", "Cmd": ["sh", "-c", script], "Tty": tty, "HostConfig": host}
    query = f"?name={name}" if name else ""
    return daemon.http.post(f"/containers/create{query}", json=body).expect(201).json()["Id"]


def start(daemon, container):
    daemon.http.post(f"/containers/{container}/start").expect(204)


def wait(daemon, container, condition="not-running"):
    """Returns the exit code."""
    answer = daemon.http.post(f"/containers/{container}/wait?condition={condition}").expect(200).json()
    assert "Error" not in answer, answer
    return answer["StatusCode"]


def finished(daemon, script, *options, name=None):
    """A container that has run to its end."""
    container = run(daemon, script, *options, name=name)
    wait(daemon, container)
    return container


def inspect(daemon, container):
    return daemon.http.get(f"/containers/{container}/json").expect(200).json()


def state(daemon, container):
    return inspect(daemon, container)["State"]


def frames(data):
    """[(stream, bytes)] of a multiplexed body, which must be whole."""
    found = []
    at = 0
    while at < len(data):
        assert len(data) - at >= 8, f"a torn frame header at the end: {data[at:]!r}"
        stream, zeros, size = struct.unpack_from(">B3sI", data, at)
        assert stream in (1, 2) and zeros == b"\0\0\0", f"no frame header: {data[at:at + 8]!r}"
        assert len(data) - at - 8 >= size, "a torn frame at the end"
        found.append((stream, data[at + 8:at + 8 + size]))
        at += 8 + size
    return found


def payload(data, stream=None):
    """All that was written, or only what went to one stream."""
    return b"".join(text for number, text in frames(data) if stream in (None, number))


def logs(daemon, container, query="stdout=1&stderr=1", **kwargs):
    """The bytes of the log, out of their frames."""
    return payload(daemon.http.get(f"/containers/{container}/logs?{query}", **kwargs).expect(200).body)


def lines(daemon, container, query="stdout=1&stderr=1"):
    return logs(daemon, container, query).decode().splitlines()


def nanoseconds(timestamp):
    """Of 2026-11-23T21:22:44.137589767Z, since 1970; zeros at the end may be missing, as Go writes it."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", timestamp)
    assert match, f"no time: {timestamp}"
    return calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S")) * 10**9 + int((match[2] or "0").ljust(9, "0"))


def seconds_text(nanos):
    """As clients write since and until: 1795468964.137589767"""
    return f"{nanos // 10**9}.{nanos % 10**9:09}"

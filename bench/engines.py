"""The engines that are measured: each started in directories and on sockets of its own, and ended by its pid."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGE = "busybox:latest"
START_SECONDS_MAX = 60


class CannotRun(Exception):
    """An engine is not installed, or does not start here; the text says why."""


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
        return [int(child) for child in children.read().split()]


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def resident_kb(pids, field="VmRSS"):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            total += next(int(line.split()[1]) for line in status if line.startswith(field + ":"))
    return total


def on_tmpfs(path):
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return any(line.split()[1] == path and line.split()[2] == "tmpfs" for line in mounts)


def runtime_directory(work, name):
    """Where /run would be on an ordinary host: on a tmpfs, if there is one. Sockets, bundles, what a reboot may lose."""
    base = next((path for path in ("/run", "/dev/shm") if on_tmpfs(path)), work)
    path = os.path.join(base, work.strip("/").replace("/", "-"), name)
    os.makedirs(path)
    return path


class Engine:
    name = ""
    debug_prefix = ""  # what `goroutine?debug=N` is appended to; "" where there is none
    sends_header_at_once = True  # of a followed log that is silent

    def __init__(self, work):
        self.work = os.path.join(work, self.name)
        os.makedirs(self.work)
        self.run = runtime_directory(work, self.name)
        self.socket = os.path.join(self.run, "api.sock")
        self.tcp = ""
        self.process = None
        self.log = None

    # What a subclass says.
    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def debug_target(self):
        return self.socket

    def pids(self):
        """The daemon that serves comes first."""
        return [self.process.pid]

    def version(self):
        return self.call("GET", "/version").get("Version", "")

    # Life.
    def start(self):
        # pylint: disable-next=consider-using-with
        self.log = open(os.path.join(self.work, "log"), "ab")
        try:
            # pylint: disable-next=consider-using-with
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
                start_new_session=True,
                env=os.environ | self.environment(),
            )
        except FileNotFoundError as error:
            raise CannotRun(f"{error.filename} is not installed") from error
        end = time.monotonic() + START_SECONDS_MAX
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise CannotRun("it did not start: " + self.log_end())
            time.sleep(0.05)

    def answers(self):
        try:
            connection = UnixConnection(self.socket)
            connection.request("GET", "/_ping")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def log_end(self):
        with open(os.path.join(self.work, "log"), encoding="utf-8", errors="replace") as log:
            return " / ".join(log.read().strip().splitlines()[-3:])

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.log:
            self.log.close()
        self.process = self.log = None

    def restart(self):
        self.stop()
        self.start()

    # The API.
    def call(self, method, path, body=None, headers=None):
        connection = UnixConnection(self.socket)
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body), {"Content-Type": "application/json"}
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{self.name}: {method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text[:1] in (b"{", b"[") and b"\n{" not in text else {}

    def load_image(self, tar):
        with open(tar, "rb") as image:
            self.call("POST", "/v1.41/images/load?quiet=1", image, {"Content-Type": "application/x-tar"})

    def container(self, command, binds=()):
        """Creates a container without network and starts it; returns its id."""
        body = {"Image": IMAGE, "Cmd": command, "HostConfig": {"NetworkMode": "none", "Binds": list(binds)}}
        container = self.call("POST", "/v1.41/containers/create", body)["Id"]
        self.call("POST", f"/v1.41/containers/{container}/start")
        return container

    def remove(self, container):
        self.call("DELETE", f"/v1.41/containers/{container}?force=1")

    def remove_all(self):
        for container in self.call("GET", "/v1.41/containers/json?all=1"):
            self.remove(container["Id"])

    def monitor_pid(self, container):
        """The process that holds the container's output: the parent of its first process."""
        return parent_of(self.call("GET", f"/v1.41/containers/{container}/json")["State"]["Pid"])


class Quoll(Engine):
    name = "quoll"
    debug_prefix = "/debug/pprof/"

    def __init__(self, work, binaries, runtime="", workers=0, name="", arguments=()):
        self.name = name or "quoll" + (f"-{runtime}" if runtime else "") + (f"-{workers}" if workers else "")
        self.arguments = list(arguments)
        super().__init__(work)
        self.binaries = binaries
        self.runtime = runtime
        self.workers = workers
        self.root = os.path.join(self.work, "root")
        self.exec_root = os.path.join(self.run, "exec")

    def command(self):
        self.tcp = f"127.0.0.1:{free_port()}"
        words = [os.path.join(self.binaries, "quolld"), "--root", self.root, "--exec-root", self.exec_root]
        words += ["--host", "unix://" + self.socket, "--host", "tcp://" + self.tcp, "--log-level", "warn"]
        words += ["--runtime", self.runtime] if self.runtime else []
        return words + self.arguments + (["--workers", str(self.workers)] if self.workers else [])

    def debug_target(self):
        return os.path.join(self.exec_root, "debug.sock")

    def bundle(self, container):
        return os.path.join(self.exec_root, "containers", container)


class Dockerd(Engine):
    name = "dockerd"
    debug_prefix = "/debug/pprof/"

    def command(self):
        program = shutil.which("dockerd") or "/usr/sbin/dockerd"
        words = [program, "--data-root", self.work + "/root", "--exec-root", self.run + "/exec"]
        words += ["--pidfile", self.work + "/pid", "--host", "unix://" + self.socket, "--debug", "--log-level", "error"]
        return words + ["--bridge=none", "--iptables=false", "--ip-masq=false", "--storage-driver", "overlay2"]

    def pids(self):
        return [self.process.pid] + children_of(self.process.pid)[:1]  # with its containerd


class Podman(Engine):
    name = "podman"
    sends_header_at_once = False

    def command(self):
        program = shutil.which("podman") or "/usr/bin/podman"
        words = [program, "--root", self.work + "/root", "--runroot", self.run + "/run", "--tmpdir", self.run + "/tmp"]
        words += ["--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", "runc", "--storage-driver", "overlay"]
        return words + ["system", "service", "--time", "0", "unix://" + self.socket]

    def environment(self):
        # Its own defaults ask for more descriptors than a host without CAP_SYS_RESOURCE may give.
        path = self.work + "/containers.conf"
        with open(path, "w", encoding="utf-8") as config:
            config.write('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
        return {"CONTAINERS_CONF": path}

    def debug_target(self):
        return ""

"""Debian's dockerd, started for a test in a directory of its own, with a containerd of its own.

It and all that it starts live in PID and mount namespaces that end with it, so that no process and no mount can be left,
and with a /run, an /opt and an /etc/docker of their own, where it and its containerd write what no flag of theirs moves.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile

import leftovers
from http_client import HttpClient
from waiting import eventually

DOCKERD = "/usr/sbin/dockerd"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
OF_ITS_OWN = ("/run", "/opt", "/etc/docker")


class Dockerd:
    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="qdk", dir="/tmp")  # a socket's path may have 107 bytes
        self.cgroup_parent = f"/quoll-test-{os.path.basename(self.base)}"
        self.socket_path = os.path.join(self.base, "sock")
        self.http = HttpClient(self.socket_path)
        os.mkdir(os.path.join(self.base, "client"))
        for path in OF_ITS_OWN:
            os.makedirs(path, exist_ok=True)
        with open(os.path.join(self.base, "log"), "wb") as log:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        try:
            eventually(self._answers, START_SECONDS_MAX, "dockerd's answer to /_ping")
        except BaseException:
            self._end_by_force()
            raise

    def _command(self):
        config = {"data-root": f"{self.base}/root", "exec-root": f"{self.base}/x", "pidfile": f"{self.base}/pid",
                  "hosts": [f"unix://{self.socket_path}"], "cgroup-parent": self.cgroup_parent, "storage-driver": "overlay2",
                  "bridge": "none", "iptables": False, "ip-forward": False, "ip-masq": False}
        path = os.path.join(self.base, "daemon.json")
        with open(path, "w") as file:
            json.dump(config, file)
        mounts = " && ".join(f"mount -t tmpfs none {each}" for each in OF_ITS_OWN)
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                "sh", "-c", f"{mounts} && exec {DOCKERD} --config-file {path}"]

    def _answers(self):
        assert self.process.poll() is None, self._log()
        try:
            return self.http.get("/_ping", timeout=5).status == 200
        except OSError:
            return False

    def _log(self):
        with open(os.path.join(self.base, "log"), errors="replace") as file:
            return "".join(file.readlines()[-40:])

    def __call__(self, *arguments, **kwargs):
        """The docker command, which must succeed: what it prints."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        env.update(DOCKER_HOST=f"unix://{self.socket_path}", DOCKER_CONFIG=f"{self.base}/client", DOCKER_BUILDKIT="0")
        done = subprocess.run(["docker", *arguments], env=env, capture_output=True, text=True, timeout=120, **kwargs)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}\n{self._log()}"
        return done.stdout

    def close(self):
        """Ends it as its service would, and fails where that takes no end or leaves a cgroup."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
                (pid,) = children.read().split()
            os.kill(int(pid), signal.SIGTERM)
            status = self.process.wait(STOP_SECONDS_MAX)
            left = leftovers.cgroups_below(self.cgroup_parent)
            assert status == 0 and not left, f"dockerd ended with {status} and left {left}\n{self._log()}"
        finally:
            self._end_by_force()

    def _end_by_force(self):
        self.process.kill()
        self.process.wait()
        leftovers.clear(self.base, self.cgroup_parent)
        shutil.rmtree(self.base)

"""One quolld under test: its start and its end, the ways to talk to it, and the check that it leaves nothing."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import docker

import leftovers
import netns
from http_client import HttpClient
from waiting import eventually

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QUOLLD = os.environ.get("QUOLLD", os.path.join(TREE, "build/release/bin/quolld"))
QUOLL = os.environ.get("QUOLL", os.path.join(TREE, "build/release/bin/quoll"))
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 30
LEFTOVER_SECONDS_MAX = 10


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Daemon:
    """Starts in the constructor unless told not to; close() cleans up and fails if anything is left.

    arguments  more flags for quolld
    config     a dict that becomes its --config file
    env        variables added to its environment
    wrapper    a command before quolld's own, which ends by being quolld
    leaks_on_purpose  close() does not ask for verdicts on leaks
    """

    live = []  # those not closed yet, for the reports of failed tests

    def __init__(self, arguments=(), config=None, env=None, wrapper=(), start=True, leaks_on_purpose=False):
        # A short path: a socket's may have 107 bytes, and a container's attach socket lies below the exec root.
        self.base = tempfile.mkdtemp(prefix="q", dir="/tmp")
        self.root = os.path.join(self.base, "root")
        self.exec_root = os.path.join(self.base, "x")
        self.socket_path = os.path.join(self.exec_root, "quoll.sock")
        self.debug_socket_path = os.path.join(self.exec_root, "debug.sock")
        self.cgroup_parent = f"/quoll-test-{os.path.basename(self.base)}"
        self.pid_file = os.path.join(self.base, "pid")
        self.log_path = os.path.join(self.base, "log")
        self.port = free_port()
        self.arguments = list(arguments)
        self.env = dict(env or {})
        self.wrapper = list(wrapper)
        self.leaks_on_purpose = leaks_on_purpose
        self.process = None
        self.http = HttpClient(self.socket_path)
        self.tcp = HttpClient(("127.0.0.1", self.port))
        self._clients = []
        self._docker_config = os.path.join(self.base, "docker")
        os.mkdir(self._docker_config)
        if config is not None:
            path = os.path.join(self.base, "daemon.json")
            with open(path, "w") as file:
                json.dump(config, file)
            self.arguments += ["--config", path]
        Daemon.live.append(self)
        if start:
            try:
                self.start()
            except BaseException:
                self._forget()  # nobody gets this object to close it
                raise

    # -- life --

    def command(self):
        return [*self.wrapper, QUOLLD, "--root", self.root, "--exec-root", self.exec_root, "--pidfile", self.pid_file,
                "--cgroup-parent", self.cgroup_parent,
                "--host", f"unix://{self.socket_path}", "--host", f"tcp://127.0.0.1:{self.port}",
                "--log-level", "debug", *self.arguments]

    def start(self):
        assert self.process is None, "the daemon runs already"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.env}, start_new_session=True)
        try:
            eventually(self._answers_or_ended, START_SECONDS_MAX, "the daemon's answer to /_ping")
            assert self.process.poll() is None, f"quolld ended at its start, status {self.process.returncode}"
        except AssertionError as error:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self.process = None
            raise AssertionError(f"{error}\n{self.log_tail()}") from None
        return self

    def _answers_or_ended(self):
        if self.process.poll() is not None:
            return True
        try:
            return self.http.get("/_ping", timeout=5).status == 200 and self.tcp.get("/_ping", timeout=5).status == 200
        except OSError:
            return False

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=STOP_SECONDS_MAX):
        """Ends it by SIGTERM; returns its exit status. A daemon that does not end is killed, and the test fails."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"quolld did not end within {timeout} s of SIGTERM\n{self.log_tail()}") from None

    def kill9(self):
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def restart(self):
        """A clean stop and a new start on the same root."""
        assert self.stop() == 0
        return self.start()

    # -- talking to it --

    def docker_env(self):
        """The environment of the docker command and of compose, whose builds are the classic builder's."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        return {**env, "DOCKER_CONFIG": self._docker_config, "DOCKER_HOST": f"unix://{self.socket_path}",
                "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}

    def docker(self, *arguments, check=True, timeout=60, input=None, text=True):
        """Runs the docker command; returns its CompletedProcess with stdout and stderr. With check, it must succeed."""
        done = subprocess.run(["docker", *arguments], env=self.docker_env(), timeout=timeout, text=text, input=input,
                              stdin=subprocess.DEVNULL if input is None else None, capture_output=True)
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.returncode}: {done.stderr}"
        return done

    def docker_popen(self, *arguments, **kwargs):
        """The docker command in the background: a Popen with pipes for stdout and stderr. The caller ends it."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs}
        return subprocess.Popen(["docker", *arguments], env=self.docker_env(), **options)

    def quoll(self, *arguments, check=True, timeout=60, input=None):
        """Runs the operator's tool against this daemon."""
        stdin = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run([QUOLL, "--host", f"unix://{self.socket_path}", *arguments], timeout=timeout, text=True,
                              env=self.docker_env(), capture_output=True, **stdin)
        assert not check or done.returncode == 0, f"quoll {' '.join(arguments)}: {done.returncode}: {done.stderr}"
        return done

    def client(self, **kwargs):
        """A python3-docker client; closed with the daemon."""
        client = docker.DockerClient(base_url=f"unix://{self.socket_path}", version="auto", **kwargs)
        self._clients.append(client)
        return client

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def load_image(self, tar_path):
        with open(tar_path, "rb") as file:
            self.http.post("/images/load?quiet=1", body=file.read(),
                           headers={"Content-Type": "application/x-tar"}).expect(200)

    def container_ids(self):
        return [row["Id"] for row in self.http.get("/containers/json?all=1").expect(200).json()]

    def remove_containers(self):
        for container_id in self.container_ids():
            self.http.delete(f"/containers/{container_id}?force=1&v=1").expect(204, 404)

    def remove_images(self, but):
        """All images that do not have this tag, and the other tags of the one that has it."""
        for row in self.http.get("/images/json?all=1").expect(200).json():
            names = [tag for tag in row["RepoTags"] if tag != but] if but in row["RepoTags"] else [row["Id"]]
            for name in names:
                self.http.delete(f"/images/{name}?force=1").expect(200, 404, 409)  # 409: goes with its children

    # -- looking into it --

    def dump(self, match=None, tcp=False):
        """The text of /debug/goroutine, or only its blocks that contain `match`."""
        text = (self.tcp if tcp else self.http).get("/debug/goroutine").expect(200).text
        if match is None:
            return text
        return "\n".join(block for block in text.rstrip("\n").split("\n\n") if match in block)

    def leak_check(self, *arguments, check=True):
        """scripts/leak-check against this daemon: functions, and --timeout or --expect-alive."""
        done = subprocess.run([os.path.join(TREE, "scripts/leak-check"), "--unix", self.socket_path, *arguments],
                              text=True, capture_output=True, timeout=120)
        assert not check or done.returncode == 0, f"leak-check {' '.join(arguments)}:\n{done.stderr}{done.stdout}"
        return done

    def fd_count(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def fd_count_at_rest(self):
        """The count once it stays the same for a while: a connection that a client has closed lives on for a moment."""
        counts = []

        def same_ten_times():
            counts.append(self.fd_count())
            return len(counts) >= 10 and len(set(counts[-10:])) == 1
        eventually(same_ten_times, what="a number of descriptors that stays")
        return counts[-1]

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def log_size(self):
        return os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    def log_tail(self, offset=0, lines=80):
        if not os.path.exists(self.log_path):
            return "(quolld wrote no log)"
        with open(self.log_path, errors="replace") as file:
            file.seek(offset)
            return "".join(file.readlines()[-lines:])

    # -- the end --

    def close(self):
        """Removes every container, stops, and fails if the exit status is not 0 or anything is left on the host."""
        problems = []
        try:
            for client in self._clients:
                client.close()
            if self.process is not None and self.process.poll() is not None:
                problems.append(f"quolld had ended by itself, status {self.process.returncode}")
                self.process = None
            if os.path.exists(self.root):
                problems += self._close_daemon()
                problems += self._leftovers()
            if problems:
                raise AssertionError("\n".join([*problems, "quolld's log:", self.log_tail()]))
        finally:
            if self.running():
                self.process.kill()
                self.process.wait()
            self._forget()

    def _forget(self):
        leftovers.clear(self.base, self.cgroup_parent)
        Daemon.live.remove(self)
        shutil.rmtree(self.base, ignore_errors=True)

    def _close_daemon(self):
        try:
            if not self.running():
                self.start()  # a test may have stopped or killed it; only it can remove its containers
            self.remove_containers()
            leaks = [] if self.leaks_on_purpose else self._leaks()
            status = self.stop()
        except (AssertionError, OSError) as error:
            return [str(error)]
        return leaks if status == 0 else [f"quolld's exit status after SIGTERM is {status}, not 0"]

    def _leaks(self):
        """The daemon's own verdicts: none at once, none in its log, and after a while none by the sharpest measure either."""
        if not os.path.exists(self.debug_socket_path):
            return []
        debug = HttpClient(self.debug_socket_path)
        leaks = debug.get("/debug/leaks").expect(200).text
        with open(self.log_path, errors="replace") as log:
            leaks += "".join(line for line in log if " leak (" in line)
        if leaks:
            return [f"quolld convicts tasks of its own:\n{leaks}"]
        try:
            eventually(lambda: debug.get("/debug/leaks?grace=0&blocked=0").expect(200).text == "", LEFTOVER_SECONDS_MAX, "no verdict")
        except AssertionError:
            return ["quolld convicts tasks of its own:\n" + debug.get("/debug/leaks?grace=0&blocked=0").text]
        return []

    def installation(self):
        with open(os.path.join(self.root, "engine-id")) as file:
            return file.read().strip()

    def _leftovers(self):
        """In words, what is still there after a while: a monitor may need a moment to end."""
        installation = self.installation()

        def found():
            monitors = leftovers.monitor_processes(self.base)
            return ([f"monitor left: {pid}: {line}" for pid, line in monitors.items()] +
                    [f"link left: {link}" for link in netns.own_links(installation)] +
                    [f"firewall table left: {table}" for table in netns.own_tables(installation)] +
                    [f"name server left: {pid}" for pid in netns.name_servers(self.base)] +
                    [f"mount left: {point}" for point in leftovers.mounts_below(self.base)] +
                    [f"cgroup left: {path}" for path in sorted(leftovers.cgroups_below(self.cgroup_parent))])
        try:
            eventually(lambda: not found(), LEFTOVER_SECONDS_MAX, "nothing left")
        except AssertionError:
            return found()
        return []

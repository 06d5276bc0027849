"""Terminal programs through `docker run -it`, `docker exec -it` and `docker attach`, with the docker command at a pty."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import containers
from daemon import QUOLL
from waiting import eventually

SECONDS_MAX = 30


class Terminal:
    """A command at a terminal of 30 x 100."""

    def __init__(self, command, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(command[0], command, env)
            finally:
                os._exit(127)
        self.set_size(30, 100)
        self.seen = b""

    def set_size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def type(self, text):
        os.write(self.fd, text.encode())

    def _read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b""
        self.seen += got
        return bool(got)

    def expect(self, pattern):
        """Waits for it in what has come since the last one was found."""
        end = time.monotonic() + SECONDS_MAX
        while not (found := re.search(pattern.encode(), self.seen)):
            assert time.monotonic() < end and self._read(0.5), f"no {pattern!r} in {self.seen!r}"
        self.seen = self.seen[found.end():]
        return found

    def wait(self):
        """The exit code, once all output has come."""
        end = time.monotonic() + SECONDS_MAX
        while self._read(0.5):
            assert time.monotonic() < end, f"it has not ended: {self.seen!r}"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self):
        if self.fd < 0:
            return
        os.close(self.fd)
        self.fd = -1
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


@pytest.fixture
def terminal(daemon):
    made = []

    def make(*command):
        program = [QUOLL, "--host", f"unix://{daemon.socket_path}"] if command[0] == "quoll" else ["docker"]
        made.append(Terminal([*program, *command[command[0] == "quoll":]], daemon.docker_env()))
        return made[-1]

    yield make
    for each in made:
        each.close()


def resize(shell, rows, columns):
    shell.set_size(rows, columns)
    shell.type(f"while [ \"$(stty size)\" != '{rows} {columns}' ]; do :; done; echo resiz''ed\r")
    shell.expect("resized")


def interrupt(shell):
    shell.type("sh -c 'echo be\"\"gun; exec sleep 1000'\r")
    shell.expect("begun")
    shell.type("\x03")
    shell.expect("# ")


def edit_with_vi(shell):
    shell.type("vi /tmp/text\r")
    shell.expect("~")
    shell.type("ihello from vi")
    shell.expect("hello from vi")
    shell.type("\x1b")
    shell.expect("- /tmp/text")  # the command mode: vi takes what follows an escape at once for one key
    shell.type(":wq\r")
    shell.expect("# ")
    shell.type("cat /tmp/text; echo ready\r")
    shell.expect(r"hello from vi\r\nready\r\n")


def test_run_it_has_a_terminal_that_is_resized_interrupted_and_edited_in(terminal):
    shell = terminal("run", "-it", "--rm", "busybox", "sh")
    shell.expect("# ")
    shell.type("stty size; tty\r")
    shell.expect(r"30 100\r\n/dev/pts/0\r\n")
    resize(shell, 41, 123)
    interrupt(shell)
    edit_with_vi(shell)
    shell.type("exit 5\r")
    assert shell.wait() == 5


def test_exec_it_has_one_of_its_own(daemon, terminal):
    container = containers.run(daemon, containers.SILENT)
    shell = terminal("exec", "-it", container, "sh")
    shell.expect("# ")
    shell.type("stty size; tty; echo $TERM\r")
    shell.expect(r"30 100\r\n/dev/pts/0\r\nxterm\r\n")
    resize(shell, 20, 60)
    interrupt(shell)
    edit_with_vi(shell)
    shell.type("exit 6\r")
    assert shell.wait() == 6
    daemon.leak_check("start_exec")


def test_detach_keys_leave_what_runs_and_attach_comes_back(daemon, terminal):
    shell = terminal("run", "-it", "--name", "left-alone", "busybox", "sh")
    shell.expect("# ")
    shell.type("echo one''two\r")
    shell.expect("onetwo")
    shell.type("\x10\x11")
    shell.wait()
    assert containers.state(daemon, "left-alone")["Running"]
    daemon.leak_check("attach_container")
    again = terminal("attach", "--detach-keys", "ctrl-a,x", "left-alone")
    again.type("\x10\x11echo thr''ee\r")  # not the keys here
    again.expect("three")
    again.type("\x01x")
    again.wait()
    assert containers.state(daemon, "left-alone")["Running"]
    last = terminal("attach", "left-alone")
    last.type("\x15exit 9\r")
    assert last.wait() == 9


def test_a_terminal_that_is_closed_leaves_nothing_in_the_daemon(daemon, terminal):
    before = daemon.fd_count_at_rest()
    shell = terminal("run", "-it", "--name", "torn-off", "busybox", "sh")
    shell.expect("# ")
    shell.close()
    daemon.leak_check("attach_container", "wait_container")
    assert containers.state(daemon, "torn-off")["Running"]
    daemon.docker("rm", "-f", "torn-off")
    eventually(lambda: daemon.fd_count() <= before, what="as many descriptors as before")


def test_quoll_runs_and_attaches_and_executes_as_docker_does(daemon, terminal):
    shell = terminal("quoll", "run", "-it", "--name", "by-quoll", "busybox", "sh")
    shell.expect("# ")
    shell.type("stty size; tty\r")
    shell.expect(r"30 100\r\n/dev/pts/0\r\n")
    resize(shell, 41, 123)
    shell.type("\x10\x11")
    assert shell.wait() == 0
    inner = terminal("quoll", "exec", "-it", "by-quoll", "sh")
    inner.expect("# ")
    inner.type("stty size\r")
    inner.expect(r"30 100\r\n")
    interrupt(inner)
    inner.type("exit 6\r")
    assert inner.wait() == 6
    again = terminal("quoll", "attach", "by-quoll")
    again.type("echo b''ack\r")
    again.expect("back")
    again.type("exit 7\r")
    assert again.wait() == 7
    daemon.leak_check("attach_container", "start_exec")


def test_quolls_standard_input_is_the_containers(daemon):
    command = [QUOLL, "--host", f"unix://{daemon.socket_path}"]
    text = "".join(f"{number}\n" for number in range(50000))
    done = subprocess.run([*command, "run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo end >&2; exit 3"], input=text,
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout == text, done.stderr, done.returncode) == (True, "end\n", 3)
    container = containers.run(daemon, containers.SILENT)
    done = subprocess.run([*command, "exec", "-i", container, "cat"], input=text, capture_output=True, text=True,
                          timeout=60, check=False)
    assert (done.stdout == text, done.returncode) == (True, 0)
    assert daemon.quoll("exec", container, "no-such-program", check=False).returncode == 127

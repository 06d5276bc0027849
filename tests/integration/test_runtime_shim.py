"""quoll-runtime between the monitor and the real runtimes: the root filesystem is mounted for the container alone."""

import json
import os
import subprocess

import pytest

import leftovers
from daemon import QUOLLD
from waiting import eventually

SHIM = os.path.join(os.path.dirname(QUOLLD), "quoll-runtime")
MONITOR = os.path.join(os.path.dirname(QUOLLD), "quoll-monitor")
CGROUP_PARENT = f"/quoll-shim-test-{os.getpid()}"


class Bundle:
    """A bundle whose root filesystem is an overlay, and the commands that run it."""

    def __init__(self, base, runtime, layers, command):
        self.id = os.path.basename(base)
        self.base = str(base)
        self.runtime = runtime
        for name in ("rootfs", "upper", "work"):
            os.makedirs(f"{base}/{name}")
        with open(f"{base}/overlay", "w") as file:
            file.writelines(f"lowerdir={layer}\n" for layer in layers)
            file.write(f"upperdir={base}/upper\nworkdir={base}/work\ntarget={base}/rootfs\n")
        capabilities = ["CAP_CHOWN", "CAP_KILL"]
        spec = {
            "ociVersion": "1.0.2",
            "process": {"user": {"uid": 0, "gid": 0}, "args": command, "env": ["PATH=/bin"], "cwd": "/",
                        "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")}},
            "root": {"path": "rootfs"},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}],
            "linux": {"cgroupsPath": f"{CGROUP_PARENT}/{self.id}",
                      "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]},
        }
        with open(f"{base}/config.json", "w") as file:
            json.dump(spec, file)

    def create(self, wrapper=()):
        """What the monitor says: "pid N", or "error CODE TEXT"."""
        read_end, write_end = os.pipe()
        with os.fdopen(read_end) as answer:
            command = [*wrapper, "bash", "-c", f'exec 3>&{write_end}; exec "$@"', "bash",
                       MONITOR, "create", "--id", self.id, "--bundle", self.base, "--log", f"{self.base}/log", "--",
                       SHIM, f"--quoll-runtime={self.runtime}", "--root", f"{self.base}/state"]
            os.makedirs(f"{self.base}/exit", exist_ok=True)
            for name in ("attach", "ctl"):  # of an earlier run; a daemon writes each bundle anew
                if os.path.exists(f"{self.base}/{name}"):
                    os.remove(f"{self.base}/{name}")
            try:
                subprocess.run(command, check=True, pass_fds=[write_end], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
            finally:
                os.close(write_end)
            return answer.readline()

    def call(self, *arguments):
        return subprocess.run([SHIM, f"--quoll-runtime={self.runtime}", "--root", f"{self.base}/state", *arguments, self.id],
                              check=True, capture_output=True, text=True).stdout

    def run(self, wrapper=()):
        """Creates, starts, waits and deletes; returns (exit status, output)."""
        answer = self.create(wrapper)
        assert answer.startswith("pid "), answer
        assert leftovers.mounts_below(self.base) == [], "the overlay is visible on the host"
        self.call("start")
        exit_file = f"{self.base}/exit/{self.id}"
        eventually(lambda: os.path.exists(exit_file), 20, "the exit file")
        with open(exit_file) as file:
            status = int(file.read())
        os.remove(exit_file)
        self.call("delete")
        eventually(lambda: not leftovers.monitor_processes(self.base), 10, "the monitor's end")
        with open(f"{self.base}/log") as file:
            output = [line.rstrip("\n").split(" ", 3)[3] for line in file]
        os.remove(f"{self.base}/log")
        return status, output


@pytest.fixture(params=["crun", "runc"])
def make_bundle(request, tmp_path):
    runtime = subprocess.run(["sh", "-c", f"PATH=$PATH:/usr/sbin; command -v {request.param}"], check=True,
                             capture_output=True, text=True).stdout.strip()
    base_layer = tmp_path / "layers" / "base"
    (base_layer / "bin").mkdir(parents=True)
    (base_layer / "proc").mkdir()
    (base_layer / "dev").mkdir()
    (base_layer / "bin" / "busybox").write_bytes(open("/bin/busybox", "rb").read())
    (base_layer / "bin" / "busybox").chmod(0o755)
    for applet in ("sh", "cat", "ls", "wc", "mount"):
        (base_layer / "bin" / applet).symlink_to("busybox")
    made = []

    def make(command, layers=()):
        made.append(Bundle(tmp_path / f"c{len(made)}", runtime, [*layers, base_layer], ["sh", "-c", command]))
        return made[-1]

    make.layers = tmp_path / "layers"
    yield make
    for bundle in made:
        subprocess.run([runtime, "--root", f"{bundle.base}/state", "delete", "--force", bundle.id], check=False)
    left = leftovers.mounts_below(str(tmp_path))
    leftovers.clear(str(tmp_path), CGROUP_PARENT)
    assert left == []


def test_overlay_is_only_in_the_container_and_its_writes_outlive_it(make_bundle):
    bundle = make_bundle("cat /n; echo x >>/n; exit 7")
    assert bundle.run() == (7, ["cat: can't open '/n': No such file or directory"])
    # At once again: nothing holds the upper directory any more.
    assert bundle.run() == (7, ["x"])
    with open(f"{bundle.base}/upper/n") as file:
        assert file.read() == "x\nx\n"


def many_layers(folder, count):
    for i in range(count):
        layer = folder / f"{i:064}:a,b" / "diff"
        (layer / "l").mkdir(parents=True)
        (layer / "l" / str(i)).touch()
        yield layer


def test_long_lists_of_layers_mount(make_bundle):
    layers = list(many_layers(make_bundle.layers, 300))
    assert make_bundle("ls /l | wc -l", layers).run() == (0, ["300"])


def test_kernels_before_6_5_take_what_fits_a_page_and_refuse_the_rest_in_words(make_bundle):
    layers = list(many_layers(make_bundle.layers, 300))
    older_kernel = ("setarch", "--uname-2.6")
    assert make_bundle("ls /l | wc -l", layers[:20]).run(older_kernel) == (0, ["20"])
    answer = make_bundle("true", layers).create(older_kernel)
    assert answer.startswith("error 125 ")
    assert "301 layers need" in answer


@pytest.mark.parametrize("text, words", [
    ("", "no lowerdir"),
    ("lowerdir=/nowhere\nlowerdir=/\ntarget=/mnt\n", "lowerdir+=/nowhere: No such file or directory"),
    ("lowerdir=etc\n", "line 1: not an absolute path: etc"),
    ("\nlayer=/etc\n", "line 2: unknown key layer"),
    ("lowerdir=/etc\ntarget=/mnt\nupperdir=/mnt\n", "upperdir and workdir go together"),
    ("lowerdir=/etc\nlowerdir=/usr\ntarget=/mnt\noption=zork=1\n", "zork"),
])
def test_a_bad_overlay_file_is_refused_in_words(make_bundle, text, words):
    bundle = make_bundle("true")
    with open(f"{bundle.base}/overlay", "w") as file:
        file.write(text)
    answer = bundle.create()
    assert answer.startswith("error 125 ")
    assert words in answer


@pytest.mark.parametrize("runtime, status", [("/nowhere", 127), ("/etc/passwd", 126), ("crun", 125)])
def test_a_runtime_that_cannot_run_is_named(runtime, status):
    done = subprocess.run([SHIM, f"--quoll-runtime={runtime}", "state", "x"], capture_output=True, text=True)
    assert done.returncode == status
    assert runtime in done.stderr


def test_arguments_reach_the_runtime_unchanged():
    words = ["--root", "/a b", "create", "--bundle", "/nowhere", "--pid-file", "p", "id"]
    done = subprocess.run([SHIM, "--quoll-runtime=/bin/echo", *words], capture_output=True, text=True)
    assert done.stdout == " ".join(words) + "\n"

"""docker cp of one large file, beside cp on the same disk and the docker command alone."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

import cases


def peak_while(command, pids, resident_kb, env):
    """Runs a command; its seconds, and the most that the processes had resident meanwhile, in KB."""
    begin = time.monotonic()
    peak = 0
    with subprocess.Popen(command, env=env) as process:
        while process.poll() is None:
            peak = max(peak, resident_kb(pids))
            time.sleep(0.05)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: exit status {process.returncode}")
    return time.monotonic() - begin, peak


class Peer:
    """What the docker command takes for a daemon: throws away what comes, and has ready what goes."""

    def __init__(self, directory, size):
        self.socket = os.path.join(directory, "peer.sock")
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "copy_peer.py")
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen([sys.executable, program, self.socket, str(size)], stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def copying(bench, engine, resident_kb):
    """Each round makes every file anew: cp's, the container's, and the one that is copied out of it."""
    megabytes = bench.size(1024, 64)
    work = tempfile.mkdtemp(dir=engine.work, prefix="copy-")  # where the containers are, too
    big, tar, copy = (os.path.join(work, name) for name in ("big", "big.tar", "copy"))
    with open(big, "wb") as file:
        for _ in range(megabytes):
            file.write(b"x" * (1 << 20))
    subprocess.run(["tar", "-C", work, "-cf", tar, "big"], check=True)
    os.sync()
    container = engine.container(["sleep", "100000"])
    pids = engine.pids()
    rounds = []

    def timed(*command, daemon=engine.socket):
        os.sync()  # what the one left to write is not the next one's
        return peak_while(command, pids, resident_kb, {**os.environ, "DOCKER_HOST": "unix://" + daemon})

    def remove():
        timed("docker", "exec", container, "rm", "/big")

    try:
        with Peer(engine.run, megabytes << 20) as peer:
            before = resident_kb(pids)
            for _ in range(bench.size(5, 1)):
                plain, _ = timed("cp", big, copy)
                os.unlink(copy)
                client_in, _ = timed("docker", "cp", "-q", big, "container:/big", daemon=peer.socket)
                client_out, _ = timed("docker", "cp", "-q", "container:/big", copy, daemon=peer.socket)
                os.unlink(copy)
                upload, _ = timed("curl", "-sf", "-T", tar, "--unix-socket", engine.socket,
                                  f"http://x/containers/{container}/archive?path=/")
                remove()
                inwards, peak_in = timed("docker", "cp", "-q", big, container + ":/big")
                outwards, peak_out = timed("docker", "cp", "-q", container + ":/big", copy)
                os.unlink(copy)
                remove()
                rounds.append({"in_of_cp": plain / inwards, "client_in_of_cp": plain / client_in,
                               "out_of_cp": plain / outwards, "client_out_of_cp": plain / client_out,
                               "upload_of_cp": plain / upload,
                               "more_mb": (max(peak_in, peak_out) - before) / 1024})  # fmt: skip
        return cases.median_of(rounds)
    finally:
        engine.remove(container)
        shutil.rmtree(work)

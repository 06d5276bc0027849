"""docker cp of one large file, beside cp on the same disk and the docker command alone."""

import os
import shutil
import subprocess
import sys
import tempfile

import cases
import engines
from images import Peak, seconds


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


def copying(bench, engine):
    """Each round makes every file anew: cp's, the container's, and the one that is copied out of it."""
    megabytes = bench.size(1024, 64)
    work = tempfile.mkdtemp(dir=engine.work, prefix="copy-")  # where the containers are, too
    big, tar, there = (os.path.join(work, name) for name in ("big", "big.tar", "there"))
    copy = os.path.join(there, "big")
    os.mkdir(there)
    with open(big, "wb") as file:
        for _ in range(megabytes):
            file.write(b"x" * (1 << 20))
    subprocess.run(["tar", "-C", work, "-cf", tar, "big"], check=True)
    os.sync()
    container = engine.container(["sleep", "100000"])
    rounds = []

    def timed(*command, daemon=engine.socket):
        os.sync()  # what the one left to write is not the next one's
        return seconds(*command, env={**os.environ, "DOCKER_HOST": "unix://" + daemon})

    def remove():
        timed("docker", "exec", container, "rm", "/big")

    try:
        with Peer(engine.run, megabytes << 20) as peer:
            before = engines.resident_kb(engine.pids())
            for _ in range(bench.size(5, 1)):
                plain = timed("cp", big, there)
                os.unlink(copy)
                client_in = timed("docker", "cp", "-q", big, "container:/", daemon=peer.socket)
                client_out = timed("docker", "cp", "-q", "container:/big", there, daemon=peer.socket)
                os.unlink(copy)
                upload = timed("curl", "-sf", "-T", tar, "--unix-socket", engine.socket,
                                  f"http://x/containers/{container}/archive?path=/")
                remove()
                with Peak(engine) as peak:
                    inwards = timed("docker", "cp", "-q", big, container + ":/")
                    outwards = timed("docker", "cp", "-q", container + ":/big", there)
                os.unlink(copy)
                remove()
                rounds.append({"in_of_cp": plain / inwards, "client_in_of_cp": plain / client_in,
                               "out_of_cp": plain / outwards, "client_out_of_cp": plain / client_out,
                               "upload_of_cp": plain / upload,
                               "more_mb": (peak.kb - before) / 1024})  # fmt: skip
        return cases.median_of(rounds)
    finally:
        engine.remove(container)
        shutil.rmtree(work)

"""docker cp of one large file, beside cp on the same disk."""

import os
import shutil
import subprocess
import tempfile

import cases
import engines
from images import Peak, seconds


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

    def timed(*command):
        os.sync()  # what the one left to write is not the next one's
        return seconds(*command, env={**os.environ, "DOCKER_HOST": "unix://" + engine.socket})

    def remove():
        timed("docker", "exec", container, "rm", "/big")

    try:
        before = engines.resident_kb(engine.pids())
        for _ in range(bench.size(5, 1)):
            plain = timed("cp", big, there)
            os.unlink(copy)
            upload = timed("curl", "-sf", "-T", tar, "--unix-socket", engine.socket,
                           f"http://x/containers/{container}/archive?path=/")  # fmt: skip
            remove()
            with Peak(engine) as peak:
                inwards = timed("docker", "cp", "-q", big, container + ":/")
                outwards = timed("docker", "cp", "-q", container + ":/big", there)
            os.unlink(copy)
            remove()
            rounds.append({"in_of_cp": plain / inwards, "out_of_cp": plain / outwards, "upload_of_cp": plain / upload,
                           "more_mb": (peak.kb - before) / 1024})  # fmt: skip
        return cases.median_of(rounds)
    finally:
        engine.remove(container)
        shutil.rmtree(work)

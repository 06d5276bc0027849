"""Clients of Node.js: dockerode and testcontainers, each doing a real piece of work against the daemon."""

import json
import os
import subprocess

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node")


def node(script, *arguments, env=None):
    done = subprocess.run(["node", script, *arguments], cwd=FOLDER, env={**os.environ, **(env or {})}, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_dockerode(daemon):
    seen = node("dockerode_work.mjs", daemon.socket_path)
    assert seen["stdout"] == "out\ntyped\n" and seen["stderr"] == "err\n"
    assert seen["exec"] == "in exec\n" and seen["exitCode"] == 7
    assert seen["archiveBytes"] >= 1024 and seen["archiveBytes"] % 512 == 0
    assert seen["status"] == 137
    assert seen["actions"] == ["create", "attach", "start", "archive-path", "kill", "die", "destroy"]
    assert daemon.container_ids() == []


def test_testcontainers(daemon):
    # Its own helper container is from a registry; without it, what it started is stopped by the program itself.
    seen = node("testcontainers_work.mjs", env={"DOCKER_HOST": f"unix://{daemon.socket_path}",
                                                "TESTCONTAINERS_RYUK_DISABLED": "true"})
    assert seen["output"] == "blue\ngiven to it\n" and seen["exitCode"] == 3
    assert "given to it" in seen["lines"] and "ready" in seen["lines"]
    assert daemon.container_ids() == []

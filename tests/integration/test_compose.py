"""docker-compose 1.29 with an application of three services: a web server, a worker, and a store that both need."""

import subprocess

import pytest

from containers import inspect
from test_networks import fetch
from waiting import eventually

APPLICATION = """
version: "2.4"
services:
  store:
    image: busybox
    command: sh -c "mkdir -p /data && echo kept >> /data/value && sleep 0.5 && touch /ready && exec httpd -f -p 80 -h /data"
    volumes: ["kept:/data"]
    healthcheck: {test: ["CMD", "test", "-e", "/ready"], interval: 1s, timeout: 5s, retries: 20}
    stop_grace_period: 0s
  worker:
    image: busybox
    command: sh -c "while true; do nc -w 1 store 80 < /dev/null && echo worked; sleep 0.2; done"
    depends_on: {store: {condition: service_healthy}}
    stop_grace_period: 0s
  web:
    image: busybox
    command: sh -c "mkdir /w && echo hello > /w/index.html && exec httpd -f -p 80 -h /w"
    ports: ["8070:80"]
    depends_on: [store]
    networks: {default: {aliases: [www]}}
    stop_grace_period: 0s
volumes:
  kept:
"""


@pytest.fixture
def compose(daemon, tmp_path):
    (tmp_path / "docker-compose.yml").write_text(APPLICATION)
    command = ["docker-compose", "--no-ansi", "-p", "app", "-f", str(tmp_path / "docker-compose.yml")]

    def run(*arguments, check=True):
        done = subprocess.run([*command, *arguments], env=daemon.docker_env(), capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    run.popen = lambda *arguments: subprocess.Popen([*command, *arguments], env=daemon.docker_env(), text=True,
                                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    yield run
    run("down", "-v", check=False)


def test_an_application_lives_from_up_to_down(daemon, compose):
    compose("up", "-d")
    names = {row["Names"][0]: row["Id"] for row in daemon.http.get("/containers/json").expect(200).json()}
    assert set(names) == {"/app_store_1", "/app_worker_1", "/app_web_1"}
    store = inspect(daemon, names["/app_store_1"])
    assert store["State"]["Health"]["Status"] == "healthy"
    # The worker was not started before the store was healthy.
    assert inspect(daemon, names["/app_worker_1"])["State"]["StartedAt"] > store["State"]["Health"]["Log"][0]["Start"]
    assert set(store["NetworkSettings"]["Networks"]) == {"app_default"}
    eventually(lambda: fetch("http://127.0.0.1:8070/") == "hello\n", what="the web server")
    eventually(lambda: "worked" in compose("logs", "worker"), what="the worker's work")
    with compose.popen("logs", "-f", "--tail", "1", "worker") as logs:
        try:
            assert any("worked" in logs.stdout.readline() for _ in range(5))
        finally:
            logs.kill()
    assert "kept" in compose("exec", "-T", "web", "wget", "-q", "-O", "-", "http://store/value", check=False) or \
        "kept" in compose("exec", "-T", "store", "cat", "/data/value")
    compose("up", "-d", "--scale", "worker=3")
    workers = daemon.http.get('/containers/json?filters={"label":["com.docker.compose.service=worker"]}').expect(200).json()
    assert len(workers) == 3
    compose("restart", "store")
    eventually(lambda: compose("exec", "-T", "store", "cat", "/data/value").count("kept") == 2, what="the kept volume")
    compose("down", "-v")
    assert daemon.http.get("/containers/json?all=1").expect(200).json() == []
    assert [row["Name"] for row in daemon.http.get("/networks").expect(200).json() if row["Name"].startswith("app")] == []
    assert [row for row in daemon.http.get("/volumes").expect(200).json()["Volumes"] or [] if row["Name"] == "app_kept"] == []

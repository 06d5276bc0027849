"""stats and top: right figures against a known load, for the docker command and for bare clients that hang up."""

import json
import re
import time

import pytest

import containers
from containers import create, finished, run, state
from waiting import eventually

BUSY = "while true; do :; done"


def stats(daemon, container, query="stream=0"):
    return daemon.http.get(f"/containers/{container}/stats?{query}").expect(200).json()


def cpu_percent(sample):
    cpu = sample["cpu_stats"]["cpu_usage"]["total_usage"] - sample["precpu_stats"]["cpu_usage"]["total_usage"]
    system = sample["cpu_stats"]["system_cpu_usage"] - sample["precpu_stats"]["system_cpu_usage"]
    return 100.0 * cpu / system * sample["cpu_stats"]["online_cpus"]


def test_figures_are_those_of_a_known_load(daemon):
    half = run(daemon, BUSY, "--cpus", "0.2", "--memory", "64m", "--pids-limit", "50")
    sample = stats(daemon, half)
    # The host may have no time left for it, but never gives more than the limit.
    assert 2 < cpu_percent(sample) < 26
    assert sample["memory_stats"]["limit"] == 64 << 20
    assert 0 < sample["memory_stats"]["usage"] < 64 << 20 and sample["memory_stats"]["stats"]
    assert sample["pids_stats"] == {"current": 1, "limit": 50}
    assert sample["cpu_stats"]["throttling_data"]["throttled_periods"] > 0
    assert sample["id"] == half and sample["read"] > sample["preread"] > "2000"
    line = daemon.docker("stats", "--no-stream", "--format", "{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}", half).stdout
    percent, _, rest = line.partition("% ")
    assert 2 < float(percent) < 26 and "64MiB" in rest and rest.split()[-1] == "1"


def test_memory_is_that_of_the_container(daemon):
    container = run(daemon, "x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo up; while true; do sleep 1; done")
    eventually(lambda: containers.logs(daemon, container) == b"up\n")
    memory = stats(daemon, container, "stream=0&one-shot=1")["memory_stats"]
    assert 28e6 < memory["usage"] < 200e6


def test_one_shot_answers_at_once_and_a_stream_goes_on(daemon):
    container = run(daemon, containers.SILENT)
    begun = time.monotonic()
    sample = stats(daemon, container, "stream=false&one-shot=true")
    assert time.monotonic() - begun < 0.9
    assert sample["precpu_stats"]["cpu_usage"]["total_usage"] == 0 and "system_cpu_usage" not in sample["precpu_stats"]
    with daemon.http.stream(f"/containers/{container}/stats") as stream:
        text = b""
        while text.count(b"\n") < 2:
            text += stream.read_some()
        first, second = [json.loads(line) for line in text.splitlines()[:2]]
        assert second["preread"] == first["read"] and second["precpu_stats"] == first["cpu_stats"]
        daemon.docker("rm", "-f", container)
        stream.read_all()  # ends with the container
    daemon.leak_check("stats_container")


def test_what_does_not_run_has_empty_figures(daemon):
    for container in (create(daemon), finished(daemon, "true")):
        sample = stats(daemon, container)
        assert (sample["read"], sample["memory_stats"]) == ("0001-01-01T00:00:00Z", {})
    daemon.http.get("/containers/nobody/stats").expect(404)


def test_top_lists_the_processes_of_the_container_alone(daemon):
    container = run(daemon, "sleep 1234 & sleep 4321; true")
    eventually(lambda: "sleep 4321" in daemon.docker("top", container).stdout)
    answer = daemon.http.get(f"/containers/{container}/top").expect(200).json()
    assert answer["Titles"][:3] == ["UID", "PID", "PPID"] and answer["Titles"][-1] == "CMD"
    assert sorted(row[-1] for row in answer["Processes"])[-2:] == ["sleep 1234", "sleep 4321"]
    assert len(answer["Processes"]) == 3
    assert str(state(daemon, container)["Pid"]) in {row[1] for row in answer["Processes"]}
    aux = daemon.http.get(f"/containers/{container}/top?ps_args=aux").expect(200).json()
    assert aux["Titles"][0] == "USER" and len(aux["Processes"]) == 3
    assert daemon.docker("top", container, "-o", "pid,comm").stdout.split()[:2] == ["PID", "COMMAND"]


@pytest.mark.parametrize("query, status, words", [
    ("ps_args=-eo%20comm", 400, "PID field"), ("ps_args=--no-such-option", 400, "error running ps")])
def test_top_with_options_that_do_not_work(daemon, query, status, words):
    container = run(daemon, containers.SILENT)
    assert words in daemon.http.get(f"/containers/{container}/top?{query}").expect(status).json()["message"]
    stopped = create(daemon)
    assert "is not running" in daemon.http.get(f"/containers/{stopped}/top").expect(409).json()["message"]


# -- clients that leave in the middle --


@pytest.mark.parametrize("route, handler, method", [
    ("/containers/{}/stats", "stats_container", "GET"), ("/containers/{}/wait?condition=removed", "wait_container", "POST"),
    ("/containers/{}/wait?condition=next-exit", "wait_container", "POST"), ("/events", "quoll::api::events(", "GET"),
    ("/containers/{}/logs?stdout=1&follow=1&details=1", "logs_container", "GET")])
def test_nothing_is_left_of_who_hangs_up(daemon, route, handler, method):
    container = run(daemon, containers.SILENT)
    descriptors = daemon.fd_count_at_rest()
    streams = [daemon.http.stream(route.format(container), method=method) for _ in range(20)]
    assert all(stream.status == 200 for stream in streams)
    eventually(lambda: daemon.dump().count(handler) >= 20)
    for stream in streams:
        stream.close()
    daemon.leak_check(handler)
    assert daemon.fd_count_at_rest() <= descriptors
    assert state(daemon, container)["Running"]


# -- lists and logs --


def ids(daemon, *filters):
    arguments = [word for each in filters for word in ("--filter", each)]
    return set(daemon.docker("ps", "-aq", "--no-trunc", *arguments).stdout.split())


def test_list_filters(daemon):
    one = create(daemon, name="one", Binds=["/tmp:/data"], NetworkMode="none")
    body = {"Image": "busybox", "ExposedPorts": {"80/tcp": {}, "53/udp": {}}}
    two = daemon.http.post("/containers/create?name=two", json=body).expect(201).json()["Id"]
    assert ids(daemon, "volume=/data") == {one} and ids(daemon, "volume=/tmp") == {one}
    assert ids(daemon, "network=none") == {one}
    assert ids(daemon, "expose=80") == {two} and ids(daemon, "expose=50-60/udp") == {two} and ids(daemon, "expose=81") == set()
    assert ids(daemon, "is-task=false") == {one, two} and ids(daemon, "is-task=true") == set()
    assert ids(daemon, "health=none") == {one, two}
    assert ids(daemon, "name=one", "status=created") == {one}
    daemon.http.get('/containers/json?filters={"expose":["x"]}').expect(400)


def test_logs_with_details(daemon):
    container = finished(daemon, "echo one; echo two", "--label", "tier=front end", "--label", "other=x", "-e", "MODE=a,b",
                         "--log-opt", "labels=tier", "--log-opt", "env-regex=^MO")
    assert containers.logs(daemon, container) == b"one\ntwo\n"
    assert daemon.docker("logs", "--details", container).stdout == "".join(
        f"MODE=a%2Cb,tier=front+end {word}\n" for word in ("one", "two"))
    stamped = daemon.docker("logs", "-t", "--details", container).stdout.splitlines()
    assert all(re.fullmatch(r"\S+Z MODE=a%2Cb,tier=front\+end (one|two)", line) for line in stamped)
    tagged = finished(daemon, "echo one", "--log-opt", "tag={{.ImageName}}/{{.Name}}/{{.ID}}", name="tagged")
    assert daemon.docker("logs", "--details", tagged).stdout == f"tag=busybox%2Ftagged%2F{tagged[:12]} one\n"
    refused = daemon.docker("run", "--log-opt", "tag={{lower .Name}}", "busybox", check=False)
    assert refused.returncode == 125 and "{{lower .Name}} is not supported in a log tag" in refused.stderr
    plain = finished(daemon, "echo one")
    assert daemon.docker("logs", "--details", plain).stdout == " one\n"

"""Health checks: their results, events, what lists say of them, and that nothing of them is left."""

import json
import shutil
import time
import urllib.parse

import pytest

import containers
from containers import create, inspect, run, start, state
from waiting import eventually

SECOND = 10**9


def health(daemon, container):
    return state(daemon, container)["Health"]


def with_check(daemon, test, script=containers.SILENT, **check):
    body = {"Image": "busybox", "Cmd": ["sh", "-c", script],
            "Healthcheck": {"Test": test, "Interval": SECOND // 10, "Timeout": 5 * SECOND, "Retries": 2, **check}}
    container = daemon.http.post("/containers/create", json=body).expect(201).json()["Id"]
    start(daemon, container)
    return container


def status(daemon, container):
    return daemon.docker("ps", "-a", "--filter", f"id={container}", "--format", "{{.Status}}").stdout


def test_a_container_becomes_healthy_and_unhealthy_with_log_and_events(daemon):
    since = time.time()
    container = with_check(daemon, ["CMD-SHELL", "echo looked; test ! -e /ill"])
    eventually(lambda: health(daemon, container)["Status"] == "healthy")
    assert "(healthy)" in status(daemon, container)
    last = health(daemon, container)["Log"][-1]
    assert (last["ExitCode"], last["Output"]) == (0, "looked\n") and last["Start"] <= last["End"]
    pid = state(daemon, container)["Pid"]
    open(f"/proc/{pid}/root/ill", "w").close()
    eventually(lambda: health(daemon, container)["Status"] == "unhealthy")
    assert health(daemon, container)["FailingStreak"] >= 2
    assert "(unhealthy)" in status(daemon, container)
    eventually(lambda: len(health(daemon, container)["Log"]) == 5)
    assert daemon.docker("ps", "-q", "--no-trunc", "--filter", "health=unhealthy").stdout.split() == [container]
    assert daemon.docker("ps", "-q", "--filter", "health=healthy").stdout == ""
    query = urllib.parse.urlencode({"since": since, "until": time.time() + 0.01,
                                    "filters": json.dumps({"event": ["health_status", "exec_create", "exec_start", "exec_die"]})})
    told = [json.loads(line) for line in daemon.http.get(f"/events?{query}").text.splitlines()]
    changes = [event["Action"] for event in told if event["Action"].startswith("health")]
    assert changes == ["health_status: healthy", "health_status: unhealthy"]
    assert {"0", "1"} <= {event["Actor"]["Attributes"].get("exitCode") for event in told}
    first = told[0]["Actor"]["Attributes"]["execID"]
    assert [event["Action"].split(":")[0] for event in told if event["Actor"]["Attributes"].get("execID") == first] == [
        "exec_create", "exec_start", "exec_die"]


def test_a_check_that_takes_too_long_is_killed(daemon):
    container = with_check(daemon, ["CMD", "sleep", "77.7"], Timeout=SECOND // 5, Retries=1)
    eventually(lambda: health(daemon, container)["Status"] == "unhealthy")
    assert "exceeded timeout (0.2s)" in health(daemon, container)["Log"][0]["Output"]
    # At most the one that runs now.
    eventually(lambda: len(daemon.docker("top", container).stdout.split("sleep 77.7")) <= 2)


SLOW_RUNTIME = """#!/bin/bash
# Starts an exec's process at once, and says its pid half a second later.
for word; do
  if [ "$last" = --pid-file ] && [[ $word = */health.pid ]]; then
    pid_file=$word
    word=$word.early
    (sleep 0.5; cp "$pid_file.early" "$pid_file.new" && mv "$pid_file.new" "$pid_file") > /dev/null 2>&1 &
  fi
  words+=("$word")
  last=$word
done
exec %s "${words[@]}"
"""


def test_a_check_is_killed_even_before_the_runtime_has_said_what_it_started(make_daemon, tmp_path):
    slow = tmp_path / "slow-runtime"
    slow.write_text(SLOW_RUNTIME % shutil.which("runc"))
    slow.chmod(0o755)
    daemon = make_daemon(arguments=["--runtime", str(slow)])
    container = with_check(daemon, ["CMD", "sleep", "77.7"], Timeout=SECOND // 5, Retries=1, Interval=60 * SECOND,
                           StartPeriod=60 * SECOND, StartInterval=SECOND // 10)
    eventually(lambda: "sleep 77.7" in daemon.docker("top", container).stdout, what="a check")
    eventually(lambda: len(health(daemon, container)["Log"]) >= 3, what="three checks")
    # At most the one that runs now.
    assert daemon.docker("top", container).stdout.count("sleep 77.7") <= 1


def test_a_check_that_cannot_run_is_unhealthy(daemon):
    container = with_check(daemon, ["CMD", "no-such-program"], Retries=1)
    eventually(lambda: health(daemon, container)["Status"] == "unhealthy")
    assert "no-such-program" in health(daemon, container)["Log"][0]["Output"]


def test_the_start_period_is_one_of_grace_with_faster_checks(daemon):
    container = with_check(daemon, ["CMD", "false"], Interval=60 * SECOND, StartPeriod=60 * SECOND, Retries=1,
                           StartInterval=SECOND // 10)
    eventually(lambda: len(health(daemon, container)["Log"]) >= 3)
    assert health(daemon, container)["Status"] == "starting" and health(daemon, container)["FailingStreak"] == 0
    assert "(health: starting)" in status(daemon, container)


@pytest.mark.parametrize("end", ["stop", "rm", "pause"])
def test_no_check_outlives_what_it_checks(daemon, end):
    container = with_check(daemon, ["CMD", "sleep", "3"])
    eventually(lambda: "monitor_health" in daemon.dump())
    if end == "pause":
        daemon.docker("pause", container)
    daemon.docker("rm", "-f", container) if end != "stop" else daemon.docker("stop", "-t", "0", container)
    daemon.leak_check("quoll::mgr::monitor_health(")


def test_checks_go_on_after_a_restart_of_the_daemon(make_daemon):
    daemon = make_daemon()
    container = with_check(daemon, ["CMD", "true"])
    eventually(lambda: health(daemon, container)["Status"] == "healthy")
    daemon.kill9()
    daemon.start()
    eventually(lambda: health(daemon, container)["Status"] == "healthy")


def test_docker_run_s_flags_and_none(daemon):
    container = run(daemon, containers.SILENT, "--health-cmd", "true", "--health-interval", "100ms", "--health-retries", "4")
    assert inspect(daemon, container)["Config"]["Healthcheck"] == {
        "Test": ["CMD-SHELL", "true"], "Interval": SECOND // 10, "Retries": 4}
    eventually(lambda: health(daemon, container)["Status"] == "healthy")
    other = run(daemon, containers.SILENT, "--no-healthcheck")
    assert "Health" not in state(daemon, other)
    assert daemon.docker("ps", "-q", "--no-trunc", "--filter", "health=none").stdout.split() == [other]


@pytest.mark.parametrize("check, words", [
    ({"Test": ["MAYBE"]}, "unknown type"), ({"Test": ["CMD"]}, "no command"),
    ({"Test": ["CMD", "x"], "Interval": 5}, "less than one millisecond"), ({"Retries": -1}, "cannot be negative")])
def test_a_malformed_check_is_refused(daemon, check, words):
    answer = daemon.http.post("/containers/create", json={"Image": "busybox", "Healthcheck": check}).expect(400)
    assert words in answer.json()["message"]

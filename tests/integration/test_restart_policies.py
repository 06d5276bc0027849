"""Restart policies: when a container is started again, when not, and over restarts of the daemon."""

import os
import time

import pytest

import containers
from containers import create, inspect, run, start, state, wait
from waiting import eventually


def restarts(daemon, container):
    return inspect(daemon, container)["RestartCount"]


def test_on_failure_tries_as_often_as_it_may(daemon):
    container = run(daemon, "echo run; exit 3", "--restart", "on-failure:2")
    eventually(lambda: state(daemon, container)["Status"] == "exited")
    assert restarts(daemon, container) == 2
    assert state(daemon, container)["ExitCode"] == 3
    assert containers.logs(daemon, container) == b"run\n" * 3
    # A start by hand counts anew.
    start(daemon, container)
    eventually(lambda: state(daemon, container)["Status"] == "exited")
    assert containers.logs(daemon, container) == b"run\n" * 6


def test_on_failure_leaves_success_alone(daemon):
    container = run(daemon, "exit 0", "--restart", "on-failure")
    eventually(lambda: state(daemon, container)["Status"] == "exited")
    time.sleep(0.3)
    assert (state(daemon, container)["Status"], restarts(daemon, container)) == ("exited", 0)


def test_the_delay_grows_and_the_status_says_restarting(daemon):
    container = run(daemon, "exit 1", "--restart", "always")
    eventually(lambda: restarts(daemon, container) >= 3)
    begun = time.monotonic()
    seen = eventually(lambda: (now := state(daemon, container))["Status"] == "restarting" and now)
    assert (seen["Restarting"], seen["Running"], seen["ExitCode"]) == (True, True, 1)
    assert "Restarting (1)" in daemon.docker("ps", "--format", "{{.Status}}").stdout
    eventually(lambda: restarts(daemon, container) >= 5)
    assert time.monotonic() - begun > 0.5  # 400 ms and 800 ms lie between


@pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure"])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_its_user_ends_stays_ended(daemon, policy, end):
    container = run(daemon, containers.SILENT, "--restart", policy)
    daemon.docker(*([end, "-t", "0"] if end == "stop" else [end]), container)
    assert wait(daemon, container) == 137
    time.sleep(0.3)
    assert (state(daemon, container)["Status"], restarts(daemon, container)) == ("exited", 0)


@pytest.mark.parametrize("end", ["stop", "kill", "rm"])
def test_a_container_that_waits_for_its_restart_can_be_ended(daemon, end):
    container = run(daemon, "exit 1", "--restart", "always")
    eventually(lambda: restarts(daemon, container) >= 3 and state(daemon, container)["Status"] == "restarting")
    if end == "rm":
        daemon.docker("rm", "-f", container)
    else:
        daemon.docker(end, container)
        eventually(lambda: state(daemon, container)["Status"] == "exited")
        count = restarts(daemon, container)
        time.sleep(1)
        assert (state(daemon, container)["Status"], restarts(daemon, container)) == ("exited", count)
    daemon.leak_check("quoll::mgr::ContainerManager::restart_after(")


def test_a_killed_process_is_started_again(daemon):
    container = run(daemon, "echo up; " + containers.SILENT, "--restart", "unless-stopped")
    pid = state(daemon, container)["Pid"]
    os.kill(pid, 9)
    again = eventually(lambda: (now := state(daemon, container))["Status"] == "running" and now["Pid"] != pid and now)
    assert again["Pid"] > 0 and restarts(daemon, container) == 1


def test_auto_remove_and_a_policy_exclude_each_other(daemon):
    done = daemon.docker("create", "--rm", "--restart", "always", "busybox", check=False)
    assert done.returncode != 0
    body = {"Image": "busybox", "HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}}
    daemon.http.post("/containers/create", json=body).expect(400)


def test_update_changes_the_policy(daemon):
    container = run(daemon, "exit 1", "--restart", "always")
    eventually(lambda: restarts(daemon, container) >= 1)
    daemon.docker("update", "--restart", "no", container)
    eventually(lambda: state(daemon, container)["Status"] == "exited")
    assert inspect(daemon, container)["HostConfig"]["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}


def test_policies_over_restarts_of_the_daemon(make_daemon):
    daemon = make_daemon(arguments=["--no-live-restore"])
    policies = ["no", "always", "unless-stopped", "on-failure"]
    running = {policy: run(daemon, containers.SILENT, "--restart", policy, "--stop-timeout", "0") for policy in policies}
    stopped = {policy: run(daemon, containers.SILENT, "--restart", policy) for policy in policies}
    for container in stopped.values():
        daemon.http.post(f"/containers/{container}/stop?t=0").expect(204)
    never_started = create(daemon, RestartPolicy={"Name": "always"})
    daemon.restart()
    for policy in policies:
        wanted = "exited" if policy == "no" else "running"
        eventually(lambda: state(daemon, running[policy])["Status"] == wanted, what=f"{policy}: {wanted}")
    eventually(lambda: state(daemon, stopped["always"])["Status"] == "running")
    for policy in ["no", "unless-stopped", "on-failure"]:
        assert state(daemon, stopped[policy])["Status"] == "exited", policy
    assert state(daemon, never_started)["Status"] == "created"
    for container in daemon.container_ids():
        daemon.http.delete(f"/containers/{container}?force=1")


def test_a_restart_that_was_pending_comes_after_a_kill_of_the_daemon(make_daemon):
    daemon = make_daemon()
    container = run(daemon, "echo run; exit 1", "--restart", "always")
    eventually(lambda: restarts(daemon, container) >= 4 and state(daemon, container)["Status"] == "restarting")
    daemon.kill9()
    daemon.start()
    before = containers.logs(daemon, container)
    eventually(lambda: len(containers.logs(daemon, container)) > len(before))
    # One that ended while no daemon ran is started again, too.
    other = run(daemon, containers.SILENT, "--restart", "on-failure")
    pid = state(daemon, other)["Pid"]
    daemon.kill9()
    os.kill(pid, 9)
    daemon.start()
    eventually(lambda: (now := state(daemon, other))["Status"] == "running" and now["Pid"] != pid)

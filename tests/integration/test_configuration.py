"""The daemon's flags and its daemon.json: what is refused in words, what is obeyed."""

import json
import os
import re
import signal
import stat

import pytest

import containers
from daemon import free_port
from http_client import HttpClient
from test_daemon import quolld


@pytest.mark.parametrize("arguments, words", [
    (["--no-such-flag"], "no-such-flag"), (["stray"], "stray"), (["--log-level", "loud"], "loud"),
    (["--host", "ftp://x"], "neither unix:// nor tcp://"), (["--host", "tcp://127.0.0.1"], "no port"),
    (["--host", "tcp://127.0.0.1:70000"], "not a port"), (["--host", "unix://relative"], "must be absolute"),
    (["--host", "tcp://0.0.0.0:0"], "loopback only"), (["--host", "tcp://[::]:0"], "loopback only"),
    (["--host", "tcp://192.0.2.1:2375"], "loopback only"), (["--debug-host", "tcp://0.0.0.0:0"], "loopback only"),
    (["--root", "relative"], "must be absolute"), (["--config", "/no/such/file"], "/no/such/file"),
    (["--runtime", "no-such-runtime"], "no-such-runtime is not installed"), (["--group", "no-such-group"], "no such group"),
    (["--workers", "many"], "workers"), (["--host", "unix:///" + "x" * 200], "x" * 100)])
def test_bad_flags_are_refused_in_words(tmp_path, arguments, words):
    done = quolld(tmp_path, *arguments)
    assert done.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT), done
    assert words in done.stderr, done.stderr


@pytest.mark.parametrize("config, words", [
    ({"log-level": "debug"}, "specified both as a flag and in the configuration file: log-level"),
    ({"hosts": ["unix:///tmp/x.sock"]}, "specified both as a flag and in the configuration file: hosts"),
    ({"no-such-key": 1}, "no-such-key"), ({"live-restore": "yes"}, "live-restore"), ({"hosts": "unix:///x"}, "hosts"),
    ({"shutdown-timeout": "x"}, "shutdown-timeout"), ([], "not a JSON object")])
def test_a_bad_daemon_json_is_refused_in_words(tmp_path, config, words):
    (tmp_path / "daemon.json").write_text(json.dumps(config))
    host = f"unix://{tmp_path}/s" if config == {"hosts": ["unix:///tmp/x.sock"]} else None
    done = quolld(tmp_path, "--config", str(tmp_path / "daemon.json"), "--log-level", "info", *(["--host", host] if host else []))
    assert done.returncode == 1
    assert words in done.stderr, done.stderr


def test_the_short_and_the_other_names_of_a_flag_conflict_with_the_file_too(tmp_path):
    for flags, key, value in ((["-l", "info"], "log-level", "debug"), (["--data-root", "/tmp/x"], "data-root", "/tmp/y"),
                              (["-H", "unix:///tmp/x.sock"], "hosts", ["unix:///tmp/y.sock"]),
                              (["--no-live-restore"], "live-restore", True)):
        (tmp_path / "daemon.json").write_text(json.dumps({key: value}))
        done = quolld(tmp_path, "--config", str(tmp_path / "daemon.json"), *flags)
        assert done.returncode == 1 and f"specified both as a flag and in the configuration file: {key}" in done.stderr


def test_daemon_json_is_obeyed(make_daemon, tmp_path):
    port = free_port()
    daemon = make_daemon(config={"live-restore": False, "debug-host": f"tcp://127.0.0.1:{port}", "workers": 1})
    assert daemon.docker("info", "-f", "{{.LiveRestoreEnabled}}").stdout == "false\n"
    answer = HttpClient(("127.0.0.1", port)).get("/debug/goroutine").expect(200)
    assert answer.text.startswith("goroutine ")
    HttpClient(("127.0.0.1", port)).get("/containers/json").expect(404)  # the debug listener has nothing else


def test_help_and_version(tmp_path):
    shown = quolld(tmp_path, "--help")
    assert shown.returncode == 0
    for flag in ("--root", "--exec-root", "--host", "--pidfile", "--log-level", "--runtime", "--debug-host", "--config"):
        assert flag in shown.stdout
    assert re.match(r"quolld \d+\.\d+", quolld(tmp_path, "--version").stdout)
    assert list(tmp_path.iterdir()) == []


def test_the_unix_socket_is_for_its_owner_and_group_only(make_daemon):
    daemon = make_daemon(image=False, arguments=["--group", "daemon"])
    status = os.stat(daemon.socket_path)
    assert stat.S_IMODE(status.st_mode) == 0o660 and status.st_gid == 1


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_either_runtime_can_be_chosen(make_daemon, runtime):
    # crun refuses a host with both kinds of cgroups, so its daemon does not see the second kind.
    hide = "if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi; exec \"$@\""
    wrapper = ["unshare", "--mount", "sh", "-ec", hide, "sh"] if runtime == "crun" else []
    daemon = make_daemon(arguments=["--runtime", runtime], wrapper=wrapper)
    assert daemon.docker("info", "-f", "{{.DefaultRuntime}}").stdout == f"{runtime}\n"
    assert containers.logs(daemon, containers.finished(daemon, "echo works")) == b"works\n"
    container = containers.run(daemon, containers.SILENT, "--memory", "64m")
    daemon.docker("stop", "-t", "0", container)
    assert containers.state(daemon, container)["ExitCode"] == 137

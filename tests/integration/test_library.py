"""What `cmake --install` gives: other programs find, compile and link it; examples/ are two of them, built from the
installed package out of the tree, run, and hung up on."""

import contextlib
import os
import shutil
import signal
import subprocess

import pytest

from daemon import QUOLL, QUOLLD, TREE
from http_client import HttpClient
from waiting import eventually

BUILD = os.path.dirname(os.path.dirname(QUOLLD))


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def configure(source, build, *arguments):
    return run("cmake", "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_CXX_COMPILER=clang++-19", *arguments)


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--component", "library", "--prefix", prefix)
    return prefix


@pytest.fixture(scope="module")
def examples(prefix, tmp_path_factory):
    """The directory of the two programs, configured and built as a user would: nothing of the tree but examples/."""
    work = tmp_path_factory.mktemp("examples")
    shutil.copytree(os.path.join(TREE, "examples"), work / "source")
    configure(work / "source", work / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    output = run("cmake", "--build", work / "build")
    assert "warning:" not in output
    return work / "build"


class Program:
    """An example under test: its HTTP side and its processes."""

    def __init__(self, path):
        self.process = subprocess.Popen([path, "0"], stdout=subprocess.PIPE, text=True)
        self.line = self.process.stdout.readline()
        self.http = HttpClient(("127.0.0.1", int(self.line.rsplit(":", 1)[1])))

    def children(self):
        """The ids of its child processes, zombies among them."""
        tasks = f"/proc/{self.process.pid}/task"
        return [int(pid) for task in os.listdir(tasks) for pid in open(f"{tasks}/{task}/children").read().split()]

    def dump(self):
        return self.http.get("/debug/goroutine").expect(200).text

    def end(self):
        """Its exit status; the same, and nothing else, when called again."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        self.process.stdout.close()
        return status


def group_members(group):
    members = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            members.append(int(name))
    return members


@pytest.fixture
def busy_command(tmp_path):
    """A command that starts two more processes, says so, and prints nothing any more."""
    script = tmp_path / "busy"
    script.write_text("#!/bin/sh\nsleep 86399 &\nsleep 86398 &\necho started\nsleep 86397\n")
    script.chmod(0o755)
    return script


@pytest.fixture
def start(examples):
    programs = []

    def start(name):
        programs.append(Program(examples / name))
        return programs[-1]

    yield start
    for program in programs:
        children = program.children() if program.process.poll() is None else []
        program.end()
        for child in children:  # what a leaky server leaves behind
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def test_exec_server_runs_commands(start):
    server = start("exec_server")
    with server.http.stream("/exec?cmd=sh&args=-c%20pwd") as answer:
        assert answer.status == 200 and answer.read_all().decode().strip() == os.getcwd()
    assert server.http.get("/exec?cmd=seq&args=1%20100000").expect(200).text.split()[-1] == "100000"
    assert "no such file" in server.http.get("/exec?cmd=/nonesuch").expect(404).text.lower()
    server.http.get("/exec").expect(400)
    assert server.children() == [] and server.end() == 0


def test_exec_server_ends_the_whole_group_when_the_client_leaves(start, busy_command):
    server = start("exec_server")
    stream = server.http.stream(f"/exec?cmd={busy_command}")
    assert stream.read_some() == b"started\n"
    [leader] = server.children()
    assert len(group_members(leader)) == 4  # the shell and its three
    assert "\nexec(...)\n" in server.dump()
    stream.close()
    eventually(lambda: group_members(leader) == [] and server.children() == [], what="the group's end")
    eventually(lambda: "\nexec(...)\n" not in server.dump(), what="the task's end")
    assert server.end() == 0


def test_exec_server_stops_with_a_command_under_way(start, busy_command):
    server = start("exec_server")
    with server.http.stream(f"/exec?cmd={busy_command}") as stream:
        stream.read_some()
        [leader] = server.children()
        assert server.end() == 0
        eventually(lambda: group_members(leader) == [], what="the group's end")


def leak_and_hang_up(server):
    """Begins what leaks in the leaky server, and what does not in the other, and leaves."""
    server.http.get("/subscribe")
    client = server.http.connect()
    client.sendall(b"GET /exec?cmd=sleep&args=86396 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    eventually(lambda: "\nexec(...)\n" in server.dump() and server.children(), what="the command's start")
    client.close()


def quoll_leaks(server):
    return subprocess.run([QUOLL, "leaks", "--grace", "200ms", str(server.process.pid)], text=True, capture_output=True, timeout=60)


def test_the_leaky_server_is_convicted_of_both_leaks_by_name(start):
    server = start("leaky_exec_server")
    leak_and_hang_up(server)

    def verdicts():
        found = server.http.get("/debug/leaks?format=json&grace=200ms").expect(200).json()["verdicts"]
        return {verdict["kind"]: verdict for verdict in found} if len(found) == 2 else None
    found = eventually(verdicts, what="two verdicts")
    overdue, silent = found["overdue"], found["no sender"]
    assert overdue["task"]["stack"][0]["function"] == "exec" and overdue["task"]["state"] == "syscall"
    assert overdue["task"]["request"]["route"] == "/exec" and "client" in overdue["reason"], overdue["reason"]
    assert silent["task"]["name"] == "wait for a message" and "no live sender" in silent["reason"]
    assert silent["task"]["stack"][0]["function"] == "Background::wait_for_message"
    said = quoll_leaks(server)
    assert said.returncode == 1 and "leak (overdue)" in said.stdout and "leak (no sender)" in said.stdout, said
    assert server.children() != []


def test_exec_server_is_acquitted(start):
    server = start("exec_server")
    leak_and_hang_up(server)
    eventually(lambda: "\nexec(...)\n" not in server.dump() and server.children() == [], what="the task's end")
    said = quoll_leaks(server)
    assert said.returncode == 0 and said.stdout.startswith("no leaks among "), said


@pytest.mark.parametrize("components, found", [("task", True), ("http", True), ("", True), ("task nonesuch", False)])
def test_components_are_found_one_by_one(prefix, tmp_path, components, found):
    (tmp_path / "main.cpp").write_text("int main() {}\n")
    library = f"quoll::{components.split()[0]}" if components else "quoll::debug"
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(user LANGUAGES CXX)\n"
        f"find_package(quoll CONFIG REQUIRED {'COMPONENTS ' + components if components else ''})\n"
        f"add_executable(user main.cpp)\ntarget_link_libraries(user PRIVATE {library})\n")
    if found:
        configure(tmp_path, tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    else:
        with pytest.raises(AssertionError, match="nonesuch"):
            configure(tmp_path, tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")


def test_all_installed_headers_compile_outside_of_the_tree(prefix, tmp_path):
    headers = sorted(path.relative_to(prefix / "include") for path in (prefix / "include").rglob("*.hpp"))
    assert len(headers) > 40
    (tmp_path / "all.cpp").write_text("".join(f"#include <{header}>\n" for header in headers))
    run("clang++-19", "-std=c++20", "-Wall", "-Werror", "-fsyntax-only", "-DBOOST_ASIO_SEPARATE_COMPILATION",
        "-DBOOST_BEAST_SEPARATE_COMPILATION", f"-I{prefix}/include", tmp_path / "all.cpp", cwd=tmp_path)


def test_the_library_alone_can_be_configured(tmp_path):
    configure(TREE, tmp_path / "build", "-DQUOLL_LIBRARY_ONLY=ON")
    targets = run("ninja", "-C", tmp_path / "build", "-t", "targets", "all")
    assert "libquoll_debug.a" in targets and "libquoll_mgr.a" not in targets and "gtest" not in targets

"""Fixtures for tests with a real daemon and real containers.

daemon       the session's quolld with busybox loaded; after each test its containers and other images are removed
make_daemon  starts more of them, for tests that kill, restart or configure theirs; each is closed with the test
busybox_tar  the image, as the path of a tar
"""

import os
import subprocess

import pytest

import netns
from daemon import Daemon, TREE


def pytest_configure(config):
    # Before anything else is started: daemons, clients and tests talk to each other on its loopback.
    if not config.option.collectonly:
        netns.enter_private_network()


@pytest.fixture(scope="session")
def busybox_tar(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "busybox.tar"
    subprocess.run([os.path.join(TREE, "scripts/make-busybox-image"), path], check=True)
    return path


@pytest.fixture(scope="session")
def session_daemon(busybox_tar):
    daemon = Daemon()
    try:
        daemon.load_image(busybox_tar)
        yield daemon
    finally:
        daemon.close()


@pytest.fixture
def daemon(session_daemon):
    pid = session_daemon.pid
    yield session_daemon
    assert session_daemon.running() and session_daemon.pid == pid, "a test must not end the session's daemon: use make_daemon"
    session_daemon.remove_containers()
    session_daemon.remove_images(but="busybox:latest")


@pytest.fixture
def make_daemon(busybox_tar):
    """make_daemon(image=True, arguments=(), config=None, env=None, wrapper=(), start=True) -> Daemon"""
    daemons = []

    def make(image=True, start=True, **kwargs):
        daemon = Daemon(start=start, **kwargs)
        daemons.append(daemon)
        if image and start:
            daemon.load_image(busybox_tar)
        return daemon

    yield make
    errors = []
    for daemon in reversed(daemons):
        try:
            daemon.close()
        except AssertionError as error:
            errors.append(str(error))
    assert not errors, "\n\n".join(errors)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    item.log_offsets = {daemon: daemon.log_size() for daemon in Daemon.live}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    offsets = getattr(item, "log_offsets", {})
    for daemon in Daemon.live:
        report.sections.append((f"log of quolld in {daemon.base}", daemon.log_tail(offsets.get(daemon, 0))))

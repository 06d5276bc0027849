"""An application that is made of several containers, from its images to its removal, by each of three clients alone."""

import pytest

import netns
from applications import CLIENTS, PORT, SERVICES
from containers import inspect
from test_networks import fetch
from waiting import eventually


def left(daemon):
    """What there is beside the default networks."""
    volumes = daemon.http.get("/volumes").expect(200).json()["Volumes"] or []
    return (daemon.container_ids() + [row["Name"] for row in volumes] +
            [row["Name"] for row in daemon.http.get("/networks").expect(200).json()
             if row["Name"] not in ("bridge", "host", "none")])


@pytest.fixture(params=CLIENTS)
def application(request, daemon, tmp_path):
    daemon.docker("volume", "prune", "--all", "--force")
    before = daemon.fd_count_at_rest()
    made = CLIENTS[request.param](daemon, tmp_path)
    made.build()
    yield made
    daemon.remove_containers()
    daemon.docker("network", "prune", "--force")
    daemon.docker("volume", "prune", "--all", "--force")
    made.close()
    # New layers are flushed behind the answer, which takes a descriptor for a while.
    eventually(lambda: daemon.fd_count() <= before, what="as many descriptors as before")


def test_an_application_lives_from_its_images_to_its_removal(daemon, application):
    application.up()
    containers = {service: application.containers(service) for service in SERVICES}
    assert [len(ids) for ids in containers.values()] == [1, 1, 1]
    store, worker = inspect(daemon, containers["store"][0]), inspect(daemon, containers["worker"][0])
    assert store["State"]["Health"]["Status"] == "healthy"
    # The worker was not started before the store was healthy.
    assert worker["State"]["StartedAt"] > store["State"]["Health"]["Log"][0]["Start"]
    assert set(store["NetworkSettings"]["Networks"]) == {application.network}
    assert [mount["Name"] for mount in store["Mounts"]] == [application.volume]

    eventually(lambda: fetch(f"http://127.0.0.1:{PORT}/") == "hello\n", what="the web server")
    eventually(lambda: "worked" in application.logs("worker"), what="the worker's work")
    with application.following("worker") as lines:
        assert any("worked" in line for line, _ in zip(lines, range(5)))
    assert application.exec("web", "wget", "-q", "-O", "-", "http://store/value") == "kept\n"
    assert application.exec("worker", "wget", "-q", "-O", "-", "http://www/") == "hello\n"

    application.scale("worker", 3)
    workers = [inspect(daemon, container) for container in application.containers("worker")]
    assert len({row["NetworkSettings"]["Networks"][application.network]["IPAddress"] for row in workers}) == 3
    application.restart("store")
    eventually(lambda: application.exec("store", "cat", "/data/value") == "kept\nkept\n", what="the kept volume")
    eventually(lambda: application.exec("web", "wget", "-q", "-O", "-", "http://store/value") == "kept\nkept\n",
               what="the store's name after its restart")

    assert str(PORT) in netns.rules() and len(left(daemon)) == 5 + 2
    application.down()
    assert left(daemon) == []
    eventually(lambda: str(PORT) not in netns.rules(), what="no rule of a port")
    eventually(lambda: not any(link.startswith(("veth", "br-")) for link in netns.own_links(daemon.installation())),
               what="no link")

"""Many containers with networks at once, while clients hang up and the daemon is killed: nothing is lost or left."""

import http.client
import random
import threading

import netns
from containers import inspect
from http_client import HttpClient
from waiting import eventually

CONTAINERS = 200
CLIENTS = 16


class Life:
    """One client's containers, one after another: on the default bridge or a network, with a published port or none."""

    def __init__(self, daemon, numbers, errors):
        self.daemon = daemon
        self.numbers = numbers
        self.errors = errors

    def run(self):
        for number in self.numbers:
            try:
                self.one(number)
            except (OSError, http.client.HTTPException):
                pass  # the daemon was killed: what is left of this one is removed at the end
            except AssertionError as error:
                self.errors.append(f"{number}: {error}")

    def one(self, number):
        host = {"NetworkMode": ("bridge", "load", "bridge")[number % 3]}
        if number % 4 == 0:
            host["PortBindings"] = {"80/tcp": [{"HostPort": "" if number % 8 else str(21000 + number)}]}
        client = HttpClient(self.daemon.socket_path)
        body = {"Image": "busybox", "Cmd": ["sleep", "0.05" if number % 5 else "1000"], "HostConfig": host}
        container = client.post("/containers/create", json=body).expect(201).json()["Id"]
        if number % 7 == 0:
            self.hang_up(f"/containers/{container}/start")
        else:
            client.post(f"/containers/{container}/start").expect(204, 304)
        client.delete(f"/containers/{container}?force=1").expect(204)

    def hang_up(self, path):
        """Sends a request and goes away before it is answered."""
        with self.daemon.http.connect() as sock:
            sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())


def live_together(daemon, kills=()):
    errors = []
    numbers = list(range(CONTAINERS))
    lives = [Life(daemon, numbers[client::CLIENTS], errors) for client in range(CLIENTS)]
    threads = [threading.Thread(target=life.run) for life in lives]
    for thread in threads:
        thread.start()
    for seconds in kills:
        threads[0].join(seconds)
        daemon.kill9()
        daemon.start()
    for thread in threads:
        thread.join()
    assert not errors, "\n".join(errors)


def nothing_left(daemon):
    daemon.remove_containers()
    members = [daemon.http.get(f"/networks/{name}").expect(200).json()["Containers"] for name in ("bridge", "load")]
    assert members == [{}, {}]
    bridges = {"quoll-" + daemon.installation()[:8], "br-" + daemon.http.get("/networks/load").json()["Id"][:12]}
    eventually(lambda: set(netns.own_links(daemon.installation())) <= bridges, what="no link of a container")
    eventually(lambda: daemon.dump("NetworkManager") == "" and daemon.dump("watch exit") == "", what="no task")
    # Addresses and ports begin anew.
    for name in ("bridge", "load"):
        first = daemon.docker("run", "-d", "--network", name, "-p", "21000:80", "busybox", "sleep", "1000").stdout.strip()
        assert inspect(daemon, first)["NetworkSettings"]["Networks"][name]["IPAddress"].endswith(".2")
        daemon.http.delete(f"/containers/{first}?force=1").expect(204)
    eventually(lambda: "21000" not in netns.rules(), what="no rule of a port")


def test_parallel_lives_with_clients_that_hang_up_leave_nothing(make_daemon):
    daemon = make_daemon()
    daemon.http.post("/networks/create", json={"Name": "load"}).expect(201)
    descriptors = daemon.fd_count_at_rest()
    live_together(daemon)
    nothing_left(daemon)
    assert daemon.fd_count_at_rest() <= descriptors + 4


def test_parallel_lives_with_a_killed_daemon_leave_nothing(make_daemon):
    daemon = make_daemon()
    daemon.http.post("/networks/create", json={"Name": "load"}).expect(201)
    live_together(daemon, kills=(random.uniform(1, 2), random.uniform(1, 2)))
    nothing_left(daemon)

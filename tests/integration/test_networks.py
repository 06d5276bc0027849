"""Networks: addresses, published ports, names, isolation, and what stays and goes on the host."""

import contextlib
import json
import os
import socket
import subprocess
import urllib.parse

import docker
import pytest

import netns
from containers import create, finished, inspect, lines, run, start, wait
from waiting import eventually

SERVE = "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w"
SLEEP = "exec sleep 1000"


@pytest.fixture
def daemon(daemon):
    yield daemon
    daemon.remove_containers()
    daemon.http.post("/networks/prune").expect(200)


@pytest.fixture
def outside():
    with netns.outside_world(f"qout{os.getpid()}") as words:
        yield words


def network(daemon, name, **body):
    return daemon.http.post("/networks/create", json={"Name": name, **body}).expect(201).json()["Id"]


def subnet(cidr, **more):
    return {"IPAM": {"Config": [{"Subnet": cidr, **more}]}}


def endpoint(daemon, container, name="bridge"):
    return inspect(daemon, container)["NetworkSettings"]["Networks"][name]


def address(daemon, container, name="bridge"):
    return endpoint(daemon, container, name)["IPAddress"]


def fetch(url, prefix=(), seconds=2):
    """The body, or nothing where there is no answer."""
    done = subprocess.run([*prefix, "curl", "-s", "-m", str(seconds), url], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def served(url, prefix=()):
    """httpd needs a moment before it listens."""
    eventually(lambda: fetch(url, prefix) == "hello\n", what=f"an answer from {url}")
    return True


def in_network_of(daemon, container):
    """The words before a command that run it in the container's network."""
    return ["nsenter", "-t", str(inspect(daemon, container)["State"]["Pid"]), "-n"]


UDP_ECHO = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 7000))
while True:
    data, peer = sock.recvfrom(100)
    sock.sendto(data, peer)
"""


def inside(daemon, container, script, timeout=10):
    """Runs a script in a container's network namespace, with its /etc; returns (status, output)."""
    pid = inspect(daemon, container)["State"]["Pid"]
    done = subprocess.run(["nsenter", "-t", str(pid), "-n", "-m", "/bin/sh", "-c", script], timeout=timeout,
                          capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def reaches(daemon, container, target, port):
    return inside(daemon, container, f"echo | nc -w 1 {target} {port}")[0] == 0


# -- the default bridge --


def test_a_container_has_an_address_of_the_default_bridge_and_gives_it_back(daemon):
    bridge = daemon.http.get("/networks/bridge").expect(200).json()
    gateway = bridge["IPAM"]["Config"][0]["Gateway"]
    container = run(daemon, f"ip -4 -o addr show eth0; ip route; cat /etc/hosts; ping -c 1 -W 2 {gateway}; {SLEEP}")
    mine = endpoint(daemon, container)
    assert mine["Gateway"] == gateway and mine["NetworkID"] == bridge["Id"] and mine["IPPrefixLen"] == 16
    eventually(lambda: any("1 packets received" in line for line in lines(daemon, container)), what="an answer to ping")
    out = "\n".join(lines(daemon, container))
    assert f"inet {mine['IPAddress']}/16" in out and f"default via {gateway}" in out
    assert f"{mine['IPAddress']}\t{container[:12]}" in out
    members = daemon.http.get("/networks/bridge").expect(200).json()["Containers"]
    assert members[container]["IPv4Address"] == f"{mine['IPAddress']}/16"
    assert members[container]["MacAddress"] == mine["MacAddress"]
    daemon.http.post(f"/containers/{container}/kill").expect(204)
    wait(daemon, container)
    daemon.http.delete(f"/containers/{container}").expect(204)
    assert daemon.http.get("/networks/bridge").expect(200).json()["Containers"] == {}
    again = run(daemon, SLEEP)
    assert address(daemon, again) == mine["IPAddress"]


def test_host_none_and_another_container_s_network(daemon):
    assert lines(daemon, finished(daemon, "ls /sys/class/net", "--network", "none")) == ["lo"]
    on_host = finished(daemon, "ip -o link | wc -l", "--network", "host")
    assert int(lines(daemon, on_host)[0]) >= 2
    first = run(daemon, f"echo 9.9.9.9 other >> /etc/hosts; {SLEEP}", "--hostname", "first")
    mine = address(daemon, first)
    joined = finished(daemon, "ip -4 -o addr show eth0; hostname; cat /etc/hosts", "--network", f"container:{first[:12]}")
    out = "\n".join(lines(daemon, joined))
    assert f"inet {mine}/" in out and "\nfirst\n" in out and "9.9.9.9 other" in out
    assert inspect(daemon, joined)["HostConfig"]["NetworkMode"] == f"container:{first}"
    daemon.http.delete(f"/containers/{first}?force=1").expect(204)
    failed = daemon.http.post(f"/containers/{joined}/start").expect(404, 409)
    assert first in failed.json()["message"]


# -- published ports --


def test_a_published_port_is_reached_from_the_host_and_from_outside(daemon, outside):
    container = run(daemon, SERVE, "-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "192.0.2.1:8082:80")
    assert served("http://127.0.0.1:8080/")
    assert fetch("http://192.0.2.1:8080/", outside) == "hello\n"
    # What is bound to the loopback stays there.
    assert fetch("http://127.0.0.1:8081/") == "hello\n"
    assert fetch("http://192.0.2.1:8081/", outside, seconds=1) is None
    assert fetch("http://192.0.2.1:8082/", outside) == "hello\n" and fetch("http://127.0.0.1:8082/", seconds=1) is None
    # Nor does somebody on the same wire get there by naming the loopback or the container as the destination.
    gateway = endpoint(daemon, container)["Gateway"]
    for route in ("127.0.0.0/8", f"{gateway}/16"):
        subprocess.run([*outside, "ip", "route", "replace", route.replace(f"{gateway}/16", f"{gateway[:-3]}0.0/16"),
                        "via", "192.0.2.1"], capture_output=True)
    assert fetch(f"http://{address(daemon, container)}/", outside, seconds=1) is None
    # A container reaches its own published port, and so does its neighbour.
    neighbour = run(daemon, SLEEP)
    for who in (container, neighbour):
        assert fetch("http://192.0.2.1:8080/", in_network_of(daemon, who)) == "hello\n"
    ports = inspect(daemon, container)["NetworkSettings"]["Ports"]["80/tcp"]
    assert ports == [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": "8081"},
                     {"HostIp": "192.0.2.1", "HostPort": "8082"}]
    listed = daemon.docker("ps", "--format", "{{.Ports}}", "--filter", f"id={container}").stdout
    assert "0.0.0.0:8080->80/tcp" in listed and "127.0.0.1:8081->80/tcp" in listed


@contextlib.contextmanager
def udp_echo(daemon, port):
    """A container whose port 7000/udp answers, published as `port`."""
    container = run(daemon, SLEEP, "-p", f"{port}:7000/udp")
    with subprocess.Popen([*in_network_of(daemon, container), "/usr/bin/python3", "-c", UDP_ECHO]) as server:
        try:
            yield container
        finally:
            server.kill()


def echoed(sock, port):
    sock.sendto(b"ping", ("127.0.0.1", port))
    try:
        return sock.recv(10) == b"ping"
    except OSError:
        return False


def has_address(daemon, wanted):
    """Whether a new container has it: an address is free a moment after its container, when no port leads to it any more."""
    container = run(daemon, SLEEP)
    if address(daemon, container) == wanted:
        return True
    daemon.docker("rm", "-f", container)
    return False


def test_datagrams_of_one_client_go_on_to_the_next_container(daemon):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        echoed(sock, 7000)  # nobody is there yet, and the kernel remembers that
        with udp_echo(daemon, 7000) as first:
            eventually(lambda: echoed(sock, 7000), what="an echo")
            old = address(daemon, first)
            daemon.docker("rm", "-f", first)
        eventually(lambda: has_address(daemon, old), what="another container with its address")
        with udp_echo(daemon, 7000):
            eventually(lambda: echoed(sock, 7000), what="an echo of the next container")


def test_ranges_random_ports_and_publish_all(daemon):
    ranges = run(daemon, SLEEP, "-p", "7100-7102:80-82", "-p", "7110-7119:90")
    ports = inspect(daemon, ranges)["NetworkSettings"]["Ports"]
    assert [ports[f"{port}/tcp"][0]["HostPort"] for port in (80, 81, 82, 90)] == ["7100", "7101", "7102", "7110"]
    second = run(daemon, SLEEP, "-p", "7110-7119:90")
    assert inspect(daemon, second)["NetworkSettings"]["Ports"]["90/tcp"][0]["HostPort"] == "7111"
    everything = run(daemon, SERVE, "-P", "--expose", "80", "--expose", "53/udp", "-p", "81")
    ports = inspect(daemon, everything)["NetworkSettings"]["Ports"]
    numbers = {port: int(bindings[0]["HostPort"]) for port, bindings in ports.items()}
    assert set(numbers) == {"80/tcp", "53/udp", "81/tcp"} and all(number >= 32768 for number in numbers.values())
    assert served(f"http://127.0.0.1:{numbers['80/tcp']}/")
    assert daemon.docker("port", everything, "80").stdout.strip() == f"0.0.0.0:{numbers['80/tcp']}"
    daemon.docker("rm", "-f", ranges, second, everything)


def test_a_port_conflict_is_refused_and_leaves_nothing_half_done(daemon):
    holder = run(daemon, SERVE, "-p", "8080:80")
    used = len(daemon.http.get("/networks/bridge").expect(200).json()["Containers"])
    loser = create(daemon, SERVE, PortBindings={"81/tcp": [{"HostPort": "8181"}], "80/tcp": [{"HostPort": "8080"}]})
    failed = daemon.http.post(f"/containers/{loser}/start").expect(500)
    assert failed.json()["message"].endswith("Bind for 0.0.0.0:8080 failed: port is already allocated")
    assert len(daemon.http.get("/networks/bridge").expect(200).json()["Containers"]) == used
    assert inspect(daemon, loser)["State"]["Status"] == "created"
    assert fetch("http://127.0.0.1:8080/") is not None or served("http://127.0.0.1:8080/")
    # The port that it did get is free again: a program of the host may have it, and then the container may not.
    with socket.socket() as other:
        other.bind(("0.0.0.0", 8181))
        other.listen()
        daemon.http.delete(f"/containers/{holder}?force=1").expect(204)
        failed = daemon.http.post(f"/containers/{loser}/start").expect(500)
        assert "0.0.0.0:8181" in failed.json()["message"] and "address already in use" in failed.json()["message"]
    start(daemon, loser)
    assert served("http://127.0.0.1:8080/")


# -- networks of the user's own --


def test_containers_of_a_network_find_each_other_by_name(daemon):
    network(daemon, "town")
    web = run(daemon, SLEEP, "--network", "town", "--network-alias", "www", name="web")
    other = run(daemon, SLEEP, "--network", "town", "--hostname", "me", name="other")
    for name in ("web", "www", web[:12]):
        assert address(daemon, web, "town") in inside(daemon, other, f"nslookup {name}")[1]
    assert endpoint(daemon, web, "town")["DNSNames"] == ["web", "www", web[:12]]
    gateway = endpoint(daemon, web, "town")["Gateway"]
    assert f"nameserver {gateway}\n" in inside(daemon, other, "cat /etc/resolv.conf")[1]
    # A container that has gone is no longer found.
    daemon.http.delete(f"/containers/{web}?force=1").expect(204)
    eventually(lambda: inside(daemon, other, "nslookup web")[0] != 0, what="an unknown name")


def test_connect_and_disconnect_change_a_running_container(daemon):
    network(daemon, "east", **subnet("10.201.0.0/24", Gateway="10.201.0.254"))
    network(daemon, "west", **subnet("10.202.0.0/24"))
    target = run(daemon, SLEEP, "--network", "west", name="target")
    mover = run(daemon, SLEEP, "--network", "east", "--ip", "10.201.0.7", "--mac-address", "02:aa:bb:cc:dd:ee", name="mover")
    east = endpoint(daemon, mover, "east")
    assert (east["IPAddress"], east["Gateway"], east["MacAddress"]) == ("10.201.0.7", "10.201.0.254", "02:aa:bb:cc:dd:ee")
    assert inside(daemon, mover, "nslookup target")[0] != 0
    daemon.docker("network", "connect", "--alias", "nomad", "west", "mover")
    eventually(lambda: inside(daemon, mover, "ping -c 1 -W 1 target")[0] == 0, what="an answer from the new network")
    mine = address(daemon, mover, "west")
    eventually(lambda: mine in inside(daemon, target, "nslookup nomad")[1], what="the alias")
    hosts = inside(daemon, mover, "cat /etc/hosts; ip -o addr")[1]
    assert f"10.201.0.7\t{mover[:12]}" in hosts and f"{mine}\t{mover[:12]}" in hosts and "eth1" in hosts
    daemon.docker("network", "disconnect", "east", "mover")
    after = inside(daemon, mover, "cat /etc/hosts /etc/resolv.conf; ip route; ip -o link")[1]
    assert "10.201.0.7" not in after and "eth0" not in after and "default via 10.202.0.1" in after
    assert "nameserver 10.202.0.1" in after
    assert list(inspect(daemon, mover)["NetworkSettings"]["Networks"]) == ["west"]
    # What was changed holds for later runs.
    daemon.docker("restart", "-t", "0", "mover")
    assert list(inspect(daemon, mover)["NetworkSettings"]["Networks"]) == ["west"]
    eventually(lambda: address(daemon, mover, "west") in inside(daemon, target, "nslookup nomad")[1], what="the alias")


DNS_SERVER = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("192.0.2.2", 53))
while True:
    query, peer = sock.recvfrom(512)
    question = query[12:query.index(b"\\0", 12) + 5]
    is_address = question[-4:-2] == b"\\0\\1"
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x0a\\0\\4\\x08\\x08\\x07\\x07" if is_address else b""
    sock.sendto(query[:2] + b"\\x81\\x80\\0\\1" + (b"\\0\\1" if is_address else b"\\0\\0") + b"\\0\\0\\0\\0" + question + answer, peer)
"""


def test_names_of_the_outside_are_asked_where_the_client_says(daemon, outside):
    network(daemon, "town")
    with subprocess.Popen([*outside, "/usr/bin/python3", "-c", DNS_SERVER]) as server:
        try:
            plain = run(daemon, SLEEP, "--dns", "192.0.2.2")
            named = run(daemon, SLEEP, "--network", "town", "--dns", "192.0.2.2", name="named")
            assert "nameserver 192.0.2.2\n" in inside(daemon, plain, "cat /etc/resolv.conf")[1]
            for who in (plain, named):
                eventually(lambda who=who: "8.8.7.7" in inside(daemon, who, "nslookup far.example")[1], what="an answer")
            assert address(daemon, named, "town") in inside(daemon, named, "nslookup named")[1]
            network(daemon, "closed", Internal=True)
            closed = run(daemon, SLEEP, "--network", "closed", "--dns", "192.0.2.2", name="shut")
            eventually(lambda: address(daemon, closed, "closed") in inside(daemon, closed, "nslookup shut")[1], what="its name")
            assert "8.8.7.7" not in inside(daemon, closed, "nslookup far.example", timeout=30)[1]
        finally:
            server.kill()


def test_the_host_has_a_name_where_it_is_asked_for(daemon):
    for name in ("bridge", "town"):
        if name == "town":
            network(daemon, name)
        container = run(daemon, SLEEP, "--network", name, "--add-host", "host.docker.internal:host-gateway")
        gateway = endpoint(daemon, container, name)["Gateway"]
        assert f"{gateway}\thost.docker.internal\n" in inside(daemon, container, "cat /etc/hosts")[1]


def test_a_container_that_does_not_run_joins_for_its_next_run(daemon):
    network(daemon, "later")
    container = create(daemon, SLEEP, name="sleeper")
    daemon.docker("network", "connect", "later", "sleeper")
    assert set(inspect(daemon, container)["NetworkSettings"]["Networks"]) == {"bridge", "later"}
    assert endpoint(daemon, container, "later")["IPAddress"] == ""
    daemon.docker("network", "disconnect", "bridge", "sleeper")
    # A network that only containers which do not run are in can be removed, as in Docker; the start then says so.
    daemon.http.delete("/networks/later").expect(204)
    failed = daemon.http.post(f"/containers/{container}/start").expect(404)
    assert failed.json()["message"] == "failed to set up container networking: network later not found"
    network(daemon, "later")
    start(daemon, container)
    assert list(inspect(daemon, container)["NetworkSettings"]["Networks"]) == ["later"]
    assert inside(daemon, container, "ls /sys/class/net")[1].split() == ["eth0", "lo"]


def test_a_new_name_is_found_and_the_old_one_is_not(daemon):
    network(daemon, "town")
    container = run(daemon, SLEEP, "--network", "town", name="young")
    other = run(daemon, SLEEP, "--network", "town")
    daemon.docker("rename", "young", "old")
    eventually(lambda: address(daemon, container, "town") in inside(daemon, other, "nslookup old")[1], what="the new name")
    assert inside(daemon, other, "nslookup young")[0] != 0
    members = daemon.http.get("/networks/town").expect(200).json()["Containers"]
    assert members[container]["Name"] == "old"


def test_links_are_kept_true(daemon):
    db = run(daemon, SLEEP, name="db")
    app = run(daemon, SLEEP, "--link", "db:store", name="app")
    assert f"{address(daemon, db)}\tstore db {db[:12]}\n" in inside(daemon, app, "cat /etc/hosts")[1]
    daemon.docker("stop", "-t", "0", "db")
    filler = run(daemon, SLEEP)  # takes the address that the db had
    start(daemon, db)
    assert address(daemon, db) != address(daemon, filler)
    hosts = inside(daemon, app, "cat /etc/hosts")[1]
    assert hosts.count("store") == 1 and f"{address(daemon, db)}\tstore db" in hosts


def test_ipv6_addresses_lead_to_containers_and_from_them(daemon):
    network(daemon, "six", EnableIPv6=True, IPAM={"Config": [{"Subnet": "fd00:77::/64"}, {"Subnet": "10.206.0.0/24"}]})
    web = run(daemon, SERVE, "--network", "six", "-p", "8086:80", name="web6")
    mine = endpoint(daemon, web, "six")
    assert mine["GlobalIPv6Address"] == "fd00:77::2" and mine["IPAddress"] == "10.206.0.2"
    assert served("http://127.0.0.1:8086/")
    other = run(daemon, SLEEP, "--network", "six")
    assert inside(daemon, other, "ping -6 -c 1 -W 2 fd00:77::2")[0] == 0
    assert {"HostIp": "::", "HostPort": "8086"} in inspect(daemon, web)["NetworkSettings"]["Ports"]["80/tcp"]


def test_networks_are_kept_apart(daemon, outside):
    network(daemon, "red")
    network(daemon, "blue")
    network(daemon, "closed", Internal=True)
    red, blue = run(daemon, SERVE, "--network", "red"), run(daemon, SERVE, "--network", "blue")
    closed, mate = (run(daemon, SERVE, "--network", "closed", name=name) for name in ("closed1", "mate"))
    plain = run(daemon, SERVE)
    addresses = {red: address(daemon, red, "red"), blue: address(daemon, blue, "blue"), plain: address(daemon, plain),
                 closed: address(daemon, closed, "closed"), mate: address(daemon, mate, "closed")}
    eventually(lambda: reaches(daemon, closed, addresses[mate], 80), what="a neighbour in the closed network")
    for who, target in ((red, blue), (blue, red), (red, plain), (plain, red), (red, closed), (closed, red)):
        assert not reaches(daemon, who, addresses[target], 80)
    # The outside is there for all but the closed one.
    with subprocess.Popen([*outside, "busybox", "httpd", "-f", "-p", "8888", "-h", "/"]) as server:
        try:
            eventually(lambda: reaches(daemon, red, "192.0.2.2", 8888), what="the outside")
            assert reaches(daemon, plain, "192.0.2.2", 8888) and not reaches(daemon, closed, "192.0.2.2", 8888)
        finally:
            server.kill()
    # The API listens on the host's loopback: no container gets there, by whatever address.
    gateway = endpoint(daemon, red, "red")["Gateway"]
    pid = inspect(daemon, red)["State"]["Pid"]
    subprocess.run(["nsenter", "-t", str(pid), "-n", "sh", "-c", "ip link set lo down; ip route add 127.0.0.1 via "
                    f"{gateway}; ip addr del 127.0.0.1/8 dev lo; sysctl -qw net.ipv4.conf.all.route_localnet=1"], check=False)
    for target in ("127.0.0.1", gateway, "192.0.2.1"):
        assert not reaches(daemon, red, target, daemon.port)


# -- the API --


def test_networks_are_created_listed_and_removed_as_docker_does(daemon):
    made = network(daemon, "mine", Labels={"a": "b"}, **subnet("10.203.0.0/16", IPRange="10.203.5.0/24",
                   Gateway="10.203.5.1", AuxiliaryAddresses={"router": "10.203.5.0"}))
    entry = daemon.http.get(f"/networks/{made[:12]}").expect(200).json()
    assert entry["IPAM"]["Config"] == [{"Subnet": "10.203.0.0/16", "IPRange": "10.203.5.0/24", "Gateway": "10.203.5.1",
                                        "AuxiliaryAddresses": {"router": "10.203.5.0"}}]
    assert entry["Driver"] == "bridge" and entry["Labels"] == {"a": "b"}
    user = run(daemon, SLEEP, "--network", "mine")
    assert address(daemon, user, "mine") == "10.203.5.2"

    def names(**filters):
        query = json.dumps({key: [value] for key, value in filters.items()})
        return sorted(row["Name"] for row in daemon.http.get(f"/networks?filters={urllib.parse.quote(query)}").expect(200).json())
    assert names() == ["bridge", "host", "mine", "none"]
    assert names(type="custom") == names(label="a=b") == names(name="min") == names(id=made[:20]) == ["mine"]
    assert names(driver="null") == ["none"] and names(dangling="true") == []
    assert daemon.docker("ps", "-q", "--no-trunc", "--filter", "network=mine").stdout.strip() == user
    refused = daemon.http.delete("/networks/mine").expect(403).json()["message"]
    assert refused.startswith("error while removing network: network mine has active endpoints (name:")
    daemon.http.delete(f"/containers/{user}?force=1").expect(204)
    assert names(dangling="true") == ["mine"]
    daemon.http.delete("/networks/mine").expect(204)
    assert daemon.http.delete("/networks/mine").expect(404).json() == {"message": "network mine not found"}


@pytest.mark.parametrize("body, status, words", [
    ({"Name": ""}, 400, "invalid network name"), ({"Name": "bridge"}, 403, "operation is not permitted on predefined"),
    ({"Name": "x", "Driver": "overlay"}, 404, "plugin not found"),
    ({"Name": "x", **subnet("10.1.2.3/24")}, 400, "it should be 10.1.2.0/24"),
    ({"Name": "x", **subnet("nonsense")}, 400, "invalid CIDR block notation"),
    ({"Name": "x", **subnet("10.1.2.0/24", Gateway="10.1.3.1")}, 400, "doesn't contain this address"),
    ({"Name": "x", **subnet("10.1.2.0/24", IPRange="10.2.0.0/24")}, 400, "doesn't contain ip-range"),
    ({"Name": "x", "Options": {"com.docker.network.bridge.inhibit_ipv4": "true"}}, 501, "inhibit_ipv4"),
    ({"Name": "x", "ConfigOnly": True}, 501, "ConfigOnly"), ({"Name": "x", "IPAM": "y"}, 400, "IPAM")])
def test_a_network_that_cannot_be_is_refused(daemon, body, status, words):
    assert words in daemon.http.post("/networks/create", json=body).expect(status).json()["message"]
    assert len(daemon.http.get("/networks").expect(200).json()) == 3


def test_what_cannot_be_asked_of_a_network_is_refused(daemon):
    network(daemon, "mine", **subnet("10.204.0.0/24"))
    taken = daemon.http.post("/networks/create", json={"Name": "mine"}).expect(409).json()["message"]
    assert taken == "network with name mine already exists"
    overlap = daemon.http.post("/networks/create", json={"Name": "x", **subnet("10.204.0.0/16")}).expect(403)
    assert overlap.json()["message"] == "invalid pool request: Pool overlaps with other one on this address space"
    done = daemon.docker("run", "-d", "--network", "nowhere", "busybox", "true", check=False)
    assert done.returncode == 125 and "failed to set up container networking: network nowhere not found" in done.stderr
    done = daemon.docker("run", "-d", "--ip", "172.17.0.9", "busybox", "true", check=False)
    assert "user specified IP address is supported on user defined networks only" in done.stderr
    first = run(daemon, SLEEP, "--network", "mine", "--ip", "10.204.0.9")
    done = daemon.docker("run", "-d", "--network", "mine", "--ip", "10.204.0.9", "busybox", "true", check=False)
    assert "Address already in use" in done.stderr
    again = daemon.docker("network", "connect", "mine", first, check=False)
    assert "already exists in network mine" in again.stderr
    absent = daemon.docker("network", "disconnect", "bridge", first, check=False)
    assert "is not connected to network bridge" in absent.stderr


def test_events_tell_of_networks(daemon):
    with daemon.docker_popen("events", "--filter", "type=network", "--format", "{{.Action}} {{.Actor.Attributes.name}}",
                             text=True) as events:
        try:
            eventually(lambda: daemon.http.get("/info").expect(200).json().get("NEventsListener", 1) >= 1, what="a listener")
            network(daemon, "told")
            container = run(daemon, "true", "--network", "told")
            wait(daemon, container)
            eventually(lambda: daemon.http.delete("/networks/told").status == 204, what="the removal")
            seen = [events.stdout.readline().strip() for _ in range(4)]
        finally:
            events.kill()
    assert seen == ["create told", "connect told", "disconnect told", "destroy told"]


def test_python_docker_works_with_networks(daemon):
    client = daemon.client()
    made = client.networks.create("py", driver="bridge", ipam=docker.types.IPAMConfig(
        pool_configs=[docker.types.IPAMPool(subnet="10.205.0.0/24")]))
    container = client.containers.run("busybox", ["sleep", "1000"], detach=True, ports={"80/tcp": ("127.0.0.1", 8090)})
    made.connect(container, aliases=["x"], ipv4_address="10.205.0.44")
    container.reload()
    assert container.attrs["NetworkSettings"]["Networks"]["py"]["IPAddress"] == "10.205.0.44"
    assert container.ports == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8090"}]}
    made.reload()
    assert [member.id for member in made.containers] == [container.id]
    made.disconnect(container)
    container.remove(force=True)
    made.remove()

"""Networks and the host: rules of others, daemons that are killed or restarted, hosts that cannot have bridges."""

import os
import signal
import subprocess

import pytest

import netns
from containers import create, finished, inspect, lines, run, wait
from test_networks import SERVE, SLEEP, address, endpoint, fetch, in_network_of, network, served
from waiting import eventually


def test_rules_of_others_are_never_touched_and_ours_go(make_daemon):
    subprocess.run(["nft", "-f", "-"], check=True, text=True, input=(
        "table inet others {\n chain forward { type filter hook forward priority filter;\n tcp dport 1 drop\n }\n}\n"
        "table ip nat {\n chain POSTROUTING { type nat hook postrouting priority srcnat;\n oifname \"x\" masquerade\n }\n}\n"))
    try:
        before = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
        daemon = make_daemon()
        network(daemon, "mine")
        run(daemon, SERVE, "--network", "mine", "-p", "8080:80")
        during = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
        assert served("http://127.0.0.1:8080/")
        table = f"table inet quoll_{daemon.installation()[:12]} {{"
        assert table in during and during[:during.index(table)] + during[during.index(table):].split("\n}\n", 1)[1] == before
        daemon.remove_containers()
        assert daemon.stop() == 0
        assert subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout == before
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "others"], check=True)
        subprocess.run(["nft", "delete", "table", "ip", "nat"], check=True)


def test_a_killed_daemon_s_networks_are_taken_up_and_its_remains_removed(make_daemon):
    daemon = make_daemon()
    network(daemon, "mine")
    keeps = run(daemon, SERVE, "--network", "mine", "-p", "8080:80", "-p", "9000:9000/udp", name="keeps")
    ends = run(daemon, SLEEP, "-p", "8081:80", name="ends")
    assert served("http://127.0.0.1:8080/")
    before = endpoint(daemon, keeps, "mine")
    ended_pid = inspect(daemon, ends)["State"]["Pid"]
    daemon.kill9()
    subprocess.run(["kill", "-9", str(ended_pid)], check=True)
    assert fetch("http://127.0.0.1:8080/") == "hello\n"
    daemon.start()
    assert endpoint(daemon, keeps, "mine") == before and fetch("http://127.0.0.1:8080/") == "hello\n"
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert "8080" in rules and "8081" not in rules
    links = netns.own_links(daemon.installation())
    assert len(links) == 2 and any(link.startswith("br-") for link in links)  # of `mine`, and the container's
    conflict = daemon.docker("run", "-d", "-p", "8080:80", "busybox", "true", check=False)
    assert "0.0.0.0:8080" in conflict.stderr
    other = run(daemon, f"until nslookup keeps; do sleep 0.1; done; {SLEEP}", "--network", "mine")
    assert address(daemon, other, "mine") != before["IPAddress"]
    eventually(lambda: any(before["IPAddress"] in line for line in lines(daemon, other)), what="the name")
    # A container that ends while nobody watches gives all of it back.
    daemon.http.delete("/containers/keeps?force=1").expect(204)
    assert run(daemon, SERVE, "-p", "8080:80")


def test_a_network_that_two_containers_share_outlives_the_daemon(make_daemon):
    daemon = make_daemon()
    owner = run(daemon, SERVE, "-p", "8080:80", name="owner")
    guest = run(daemon, SLEEP, "--network", "container:owner")
    mine = address(daemon, owner)
    assert served("http://127.0.0.1:8080/")

    def killed():
        daemon.kill9()
        daemon.start()
    for come_again in (daemon.restart, killed):
        come_again()
        assert inspect(daemon, guest)["HostConfig"]["NetworkMode"] == f"container:{owner}"
        assert inspect(daemon, guest)["State"]["Running"] and address(daemon, owner) == mine
        assert fetch("http://127.0.0.1:8080/") == "hello\n"
        assert fetch("http://127.0.0.1/", in_network_of(daemon, guest)) == "hello\n"
        newcomer = finished(daemon, "ip -4 -o addr show eth0", "--network", "container:owner")
        assert f"inet {mine}/" in lines(daemon, newcomer)[0]
    # The owner ends while nobody watches. What it had goes, although the guest keeps the namespace alive.
    pid = inspect(daemon, owner)["State"]["Pid"]
    assert any(link.startswith("veth") for link in netns.own_links(daemon.installation()))
    daemon.kill9()
    os.kill(pid, signal.SIGKILL)
    daemon.start()
    assert not inspect(daemon, owner)["State"]["Running"] and inspect(daemon, guest)["State"]["Running"]
    assert "8080" not in netns.rules()
    assert not any(link.startswith("veth") for link in netns.own_links(daemon.installation()))
    heir = run(daemon, SERVE, "-p", "8080:80")
    assert address(daemon, heir) == mine and served("http://127.0.0.1:8080/")
    # As its own container does while the daemon is there.
    neighbour = run(daemon, SLEEP, "--network", f"container:{heir}")
    daemon.docker("kill", heir)
    wait(daemon, heir)
    eventually(lambda: not any(link.startswith("veth") for link in netns.own_links(daemon.installation())), what="no link")
    assert inspect(daemon, neighbour)["State"]["Running"]


HIDDEN = {"nft is not installed": "mount --bind /dev/null $(readlink -f $(command -v nft))",
          "/proc/sys/net is read-only": "mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,ro /proc/sys/net"}


@pytest.mark.parametrize("shortcoming", HIDDEN)
def test_a_host_that_cannot_have_bridges_says_so_and_runs_containers_with_loopback(make_daemon, shortcoming):
    daemon = make_daemon(wrapper=["unshare", "-m", "sh", "-c", HIDDEN[shortcoming] + ' && exec "$@"', "sh"])
    info = daemon.http.get("/info").expect(200).json()
    assert f"WARNING: containers have loopback only, and no ports are published: {shortcoming}" in info["Warnings"]
    alone = finished(daemon, "ls /sys/class/net; ping -c 1 -W 2 127.0.0.1 > /dev/null && echo up")
    assert lines(daemon, alone) == ["lo", "up"]
    plain = run(daemon, SLEEP)
    assert endpoint(daemon, plain)["IPAddress"] == "" and inspect(daemon, plain)["NetworkSettings"]["Ports"] == {}
    refused = daemon.http.post("/networks/create", json={"Name": "mine"}).expect(501).json()["message"]
    assert refused == f"bridge networks cannot be had here: {shortcoming}"
    published = create(daemon, SLEEP, PortBindings={"80/tcp": [{"HostPort": "8080"}]})
    failed = daemon.http.post(f"/containers/{published}/start").expect(501).json()["message"]
    assert failed == f"ports cannot be published here: {shortcoming}"
    assert inspect(daemon, published)["State"]["Status"] == "created"
    assert netns.own_links(daemon.installation()) == []
    on_host = finished(daemon, "ip -o link | wc -l", "--network", "host")
    assert int(lines(daemon, on_host)[0]) >= 1
    daemon.kill9()
    daemon.start()
    assert inspect(daemon, plain)["State"]["Running"]

"""Events: what the life of containers and images tells, to the docker command, python3-docker and bare clients."""

import json
import time
import urllib.parse

import pytest

import containers
from builds import build
from containers import create, run, wait
from waiting import eventually


def history(daemon, since, **filters):
    """All events from `since` to now, as dicts."""
    query = urllib.parse.urlencode({"since": f"{since:.9f}", "until": f"{time.time() + 0.001:.9f}",
                                    "filters": json.dumps(filters)})
    return [json.loads(line) for line in daemon.http.get(f"/events?{query}").expect(200).text.splitlines()]


def actions(events):
    return [event["Action"] for event in events]


def test_a_container_s_life_is_told_in_order_with_docker_s_attributes(daemon):
    since = time.time()
    container = run(daemon, "trap 'exit 3' TERM; echo up; while true; do sleep 0.05; done", "--label", "tier=front",
                    name="told")
    eventually(lambda: containers.logs(daemon, container) == b"up\n")
    daemon.docker("stop", container)
    daemon.docker("rm", container)
    events = [event for event in history(daemon, since, container=[container]) if event["Type"] == "container"]
    assert actions(events) == ["create", "start", "kill", "die", "stop", "destroy"]
    for event in events:
        assert event["id"] == event["Actor"]["ID"] == container and event["status"] == event["Action"]
        assert event["from"] == "busybox" and event["scope"] == "local"
        assert event["time"] == event["timeNano"] // 10**9
        assert event["Actor"]["Attributes"].items() >= {"image": "busybox", "name": "told", "tier": "front"}.items()
    assert events[2]["Actor"]["Attributes"]["signal"] == "15"
    assert events[3]["Actor"]["Attributes"]["exitCode"] == "3"
    assert int(events[3]["Actor"]["Attributes"]["execDuration"]) >= 0
    assert [event["timeNano"] for event in events] == sorted(event["timeNano"] for event in events)


def test_a_restart_and_a_forced_removal(daemon):
    since = time.time()
    container = run(daemon, containers.SILENT)
    daemon.docker("restart", "-t", "0", container)
    daemon.docker("rm", "-f", container)
    assert actions(history(daemon, since, type=["container"])) == [
        "create", "start", "kill", "kill", "die", "stop", "start", "restart", "kill", "die", "destroy"]


def test_images_tell_too(daemon, busybox_tar):
    since = time.time()
    daemon.load_image(busybox_tar)
    loaded = history(daemon, since, type=["image"], event=["load"])
    assert actions(loaded) == ["load"] and loaded[0]["id"].startswith("sha256:")
    assert "from" not in loaded[0]


def test_a_commit_and_an_import_tell_of_their_tag(daemon):
    container = create(daemon)
    since = time.time()
    image = daemon.docker("commit", container, "made:here").stdout.strip()
    daemon.docker("commit", container)
    told = history(daemon, since, type=["image"])
    assert [(event["Action"], event["id"], event["Actor"]["Attributes"]["name"]) for event in told] == [("tag", image, "made:here")]
    since = time.time()
    image = daemon.docker("import", "-", "brought:in", input="\0" * 1024).stdout.strip()
    assert [(event["Action"], event["Actor"]["Attributes"]["name"]) for event in history(daemon, since, type=["image"])] == [
        ("tag", "brought:in"), ("import", image)]


def test_builds_and_prunes_tell_too(daemon):
    since = time.time()
    built = build(daemon, "FROM busybox\nENV a=1\nRUN echo 1 > /1\n").succeeded()
    build(daemon, "FROM busybox\nENV a=1\nRUN echo 1 > /1\n", t="named:1").succeeded()  # nothing new
    assert [(event["id"], event["Action"]) for event in history(daemon, since, type=["image"])] == [
        (built.id, "create"), (built.id, "tag")]
    for path, kind in (("/images/prune", "image"), ("/build/prune", "builder"), ("/volumes/prune", "volume"),
                       ("/containers/prune", "container"), ("/networks/prune", "network")):
        since = time.time()
        freed = daemon.http.post(path).expect(200).json().get("SpaceReclaimed", 0)
        (told,) = history(daemon, since, event=["prune"])
        assert (told["Type"], told["Actor"]["Attributes"]) == (kind, {"reclaimed": str(freed)})


def test_docker_events_follows_filters_and_ends_at_until(daemon):
    since = time.time()
    follower = daemon.docker_popen("events", "--filter", "event=die", "--filter", "label=wanted", "--format", "{{json .}}",
                                   text=True)
    try:
        daemon.leak_check("events", "--expect-alive")
        run(daemon, "exit 1")
        container = run(daemon, "exit 7", "--label", "wanted=yes")
        event = json.loads(follower.stdout.readline())
    finally:
        follower.kill()
        follower.communicate()
    assert (event["id"], event["Actor"]["Attributes"]["exitCode"]) == (container, "7")
    daemon.leak_check("quoll::api::events(")
    begun = time.time()
    done = daemon.docker("events", "--since", f"{since:.9f}", "--until", f"{time.time() + 1:.9f}", "--filter", "event=die")
    assert len(done.stdout.splitlines()) == 2 and time.time() - begun >= 0.9


def test_python_docker_reads_the_stream(daemon):
    events = daemon.client().events(decode=True, filters={"event": ["start"]})
    container = run(daemon, "true")
    assert next(events)["id"] == container
    events.close()
    daemon.leak_check("quoll::api::events(")


@pytest.mark.parametrize("query, words", [
    ("since=x", "since"), ("until=x", "until"), ("since=10&until=5", "cannot be after"), ("filters=x", "filter"),
    ("filters=" + urllib.parse.quote('{"nonsense":["x"]}'), "nonsense"),
])
def test_what_cannot_be_asked_is_a_400(daemon, query, words):
    answer = daemon.http.get(f"/events?{query}").expect(400)
    assert words in answer.json()["message"]


def test_the_headers_come_at_once_and_hanging_up_leaves_nothing(daemon):
    descriptors = daemon.fd_count_at_rest()
    streams = [daemon.http.stream("/events") for _ in range(50)]
    assert all(stream.status == 200 for stream in streams)
    assert daemon.dump().count("quoll::api::events(") == 50
    for stream in streams:
        stream.close()
    daemon.leak_check("quoll::api::events(")
    assert daemon.fd_count_at_rest() <= descriptors
    assert daemon.http.get("/info").json()["NEventsListener"] == 0


def test_a_client_that_does_not_read_costs_bounded_memory_and_slows_nobody(daemon):
    container = run(daemon, containers.SILENT, "--label", "big=" + "x" * 100_000)
    with daemon.http.stream("/events") as silent, daemon.http.stream("/events") as reader:
        before = daemon.rss_bytes()
        seen = b""
        for _ in range(300):  # 30 MB of events
            daemon.http.post(f"/containers/{container}/kill?signal=CONT").expect(204)
            line = b""
            while not line.endswith(b"\n"):
                line += reader.read_some()
            seen += line[-1:]
        assert len(seen) == 300
        assert daemon.rss_bytes() - before < 12 * 1024 * 1024
        assert silent.status == 200
    daemon.leak_check("quoll::api::events(")
    wait_for = daemon.http.post(f"/containers/{container}/kill").expect(204)
    assert wait_for and wait(daemon, container) == 137


def test_the_daemon_s_end_ends_followers(make_daemon):
    daemon = make_daemon(image=False)
    with daemon.http.stream("/events") as stream:
        assert daemon.stop() == 0
        try:
            assert stream.read_all() == b""
        except OSError:
            pass
        except Exception as error:  # a stream without its proper end
            assert "IncompleteRead" in repr(error)

"""Lists of containers with their filters; what inspect, info and version tell."""

import re
import subprocess
import urllib.parse

import pytest

import builds
import containers
from containers import create, finished, inspect, run


def test_docker_ps_filters_and_formats(daemon):
    running = run(daemon, containers.SILENT, "-l", "role=web", name="runs")
    ended = finished(daemon, "exit 3", "-l", "role=job", name="ended")
    created = create(daemon, name="made")

    def names(*arguments):
        return daemon.docker("ps", "--format", "{{.Names}}", *arguments).stdout.split()

    assert names() == ["runs"]
    assert names("-a") == ["made", "ended", "runs"]
    assert names("-n", "2") == ["made", "ended"]
    assert names("-a", "--filter", "status=exited") == ["ended"]
    assert names("--filter", "status=created") == ["made"]
    assert names("-a", "--filter", "exited=3") == ["ended"]
    assert names("-a", "--filter", "label=role") == ["ended", "runs"]
    assert names("-a", "--filter", "label=role=web") == ["runs"]
    assert names("-a", "--filter", "name=un") == ["runs"]
    assert names("-a", "--filter", f"id={ended[:20]}") == ["ended"]
    assert names("-a", "--filter", "ancestor=busybox") == ["made", "ended", "runs"]
    assert names("-a", "--filter", "ancestor=other") == []
    assert names("-a", "--filter", "before=ended") == ["runs"]
    assert names("-a", "--filter", "since=ended") == ["made"]
    assert names("-a", "--filter", "name=runs", "--filter", "name=made") == ["made", "runs"]
    columns = "{{.Names}}|{{.ID}}|{{.Image}}|{{.Command}}|{{.Status}}"
    shown = daemon.docker("ps", "-a", "--no-trunc", "--format", columns).stdout
    rows = {row.split("|")[0]: row for row in shown.splitlines()}
    assert re.fullmatch(rf"runs\|{running}\|busybox\|\"sh -c '.*'\"\|Up .+", rows["runs"]), rows["runs"]
    assert re.fullmatch(rf"ended\|{ended}\|busybox\|.*\|Exited \(3\) .+ ago", rows["ended"]), rows["ended"]
    assert rows["made"].endswith("|Created") and created in rows["made"]
    table = daemon.docker("ps").stdout.splitlines()
    assert table[0].split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert daemon.docker("ps", "-q").stdout.strip() == running[:12]


def test_a_container_descends_from_every_image_below_its_own(daemon):
    def names(ancestor):
        return daemon.docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"ancestor={ancestor}").stdout.split()

    base = finished(daemon, "echo > /of-the-middle", name="on-base")
    daemon.docker("commit", base, "middle")
    built = builds.build(daemon, "FROM middle\nLABEL above=1\nRUN echo > /of-the-top\n", t="top:v1").succeeded()
    for image in ("middle", "top:v1"):
        daemon.docker("create", "--name", "on-" + image.partition(":")[0], image, "true")
    assert names("busybox") == ["on-top", "on-middle", "on-base"]
    assert names("middle") == names("middle:latest") == ["on-top", "on-middle"]
    assert names("top:v1") == names(built.id[:12]) == ["on-top"]
    assert names("top") == names("UPPER") == []
    # A name is what it is now, however soon that is.
    daemon.docker("tag", "top:v1", "middle")
    assert names("middle") == ["on-top"]


@pytest.mark.parametrize("filters", ['{"nosuch":["x"]}', "x", '["a"]', '{"status":["blue"]}', '{"name":"x"}'])
def test_a_bad_filter_is_400(daemon, filters):
    daemon.http.get(f"/containers/json?filters={urllib.parse.quote(filters)}").expect(400)


def test_both_forms_of_filters_are_understood(daemon):
    create(daemon, name="one")
    for filters in ('{"name":["one"]}', '{"name":{"one":true}}'):
        [row] = daemon.http.get(f"/containers/json?all=1&filters={urllib.parse.quote(filters)}").expect(200).json()
        assert row["Names"] == ["/one"]


def test_a_list_is_never_older_than_the_answer_before_it(daemon):
    for index in range(20):
        container = create(daemon, name=f"n{index}")
        assert container in daemon.container_ids()
        daemon.http.delete(f"/containers/{container}").expect(204)
        assert container not in daemon.container_ids()


def test_inspect_has_what_clients_read(daemon):
    container = run(daemon, containers.SILENT, name="seen")
    seen = inspect(daemon, container)
    assert re.fullmatch(r"[0-9a-f]{64}", seen["Id"]) and re.fullmatch(r"sha256:[0-9a-f]{64}", seen["Image"])
    assert (seen["Path"], seen["Args"]) == ("sh", ["-c", containers.SILENT])
    assert seen["State"]["Status"] == "running" and seen["State"]["Pid"] > 0
    assert seen["State"]["FinishedAt"] == "0001-01-01T00:00:00Z"
    for moment in (seen["Created"], seen["State"]["StartedAt"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", moment), moment
    assert seen["Config"]["Image"] == "busybox" and seen["Config"]["Tty"] is False
    assert seen["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {}}
    assert seen["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
    assert seen["NetworkSettings"]["Networks"]
    fields = ("{{.Name}} {{.State.Running}} {{.Config.Cmd}} {{.HostConfig.NetworkMode}} {{.RestartCount}} {{.Driver}} "
              "{{len .Mounts}}")
    assert daemon.docker("inspect", "-f", fields, "seen").stdout.startswith("/seen true [sh -c ")
    found = daemon.client().containers.get("seen")
    assert (found.status, found.image.tags, found.id) == ("running", ["busybox:latest"], container)
    assert daemon.docker("port", "seen").stdout == ""


def test_docker_info_and_version_print_without_errors(daemon):
    run(daemon, containers.SILENT)
    info = daemon.docker("info")
    assert "ERROR" not in info.stdout + info.stderr
    assert re.search(r"Running: 1$", info.stdout, re.M) and re.search(r"Server Version: \S+", info.stdout)
    assert daemon.docker("info", "-f", "{{.ContainersRunning}} {{.OSType}} {{.Driver}}").stdout == "1 linux overlay2\n"
    crun, init = (subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout for program in ("crun", "docker-init"))
    release, commit = re.match(r"crun version (\S+)\ncommit: (\S+)\n", crun).groups()
    init_release = re.match(r"tini version (\S+)", init)[1]
    assert re.search(rf"^ runc version: {commit}$", info.stdout, re.M), info.stdout
    assert re.search(r"^ init version: \S+$", info.stdout, re.M) and re.search(r"^ containerd version: N/A$", info.stdout, re.M)
    version = daemon.docker("version")
    assert version.stderr == "" and re.search(r"^Server: Quoll", version.stdout, re.M)
    assert f"\n crun:\n  Version:          {release}\n  GitCommit:        {commit}\n" in version.stdout
    assert f"\n docker-init:\n  Version:          {init_release}\n  GitCommit:" in version.stdout
    assert [each["Name"] for each in daemon.http.get("/version").json()["Components"]] == ["Engine", "crun", "docker-init"]
    assert daemon.docker("version", "-f", "{{.Server.APIVersion}} {{.Server.MinAPIVersion}}").stdout == "1.51 1.24\n"
    client = daemon.client()
    assert client.ping() and client.version()["ApiVersion"] == "1.51"
    assert client.info()["ContainersRunning"] == 1

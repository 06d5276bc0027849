"""docker build, the classic one: what each instruction does to the image, seen in containers of it; the cache; the clients."""

import base64
import bz2
import gzip
import http.server
import io
import json
import lzma
import os
import subprocess
import tarfile
import threading

import docker
import pytest

from builds import begun, build, context, nothing_goes_on, refusal, shell, stored
from oci import tar
from registry import PASSWORD, Registry, USER
from waiting import eventually


def settings(daemon, image):
    return daemon.http.get(f"/images/{image}/json").expect(200).json()["Config"]


# -- instructions --

EVERYTHING = """# syntax=docker/dockerfile:1
ARG base=busy
FROM ${base}box AS first
MAINTAINER somebody
ENV greeting "hello there"
ENV a=1 b='two words' c=$greeting
ARG given
ARG other=default
LABEL one="1 1" two=$a
RUN echo "$given/$other/$a/$b/$c" > /run-shell
RUN ["/bin/sh", "-c", "id -un > /run-list"]
WORKDIR /app
WORKDIR deeper
COPY plain ./
COPY plain renamed
COPY --chown=7:8 tree /tree/
ADD tree/sub/*.txt /texts/
USER 5:6
RUN id -u > /tmp/uid; pwd > /tmp/pwd
EXPOSE 80 81/udp 90-92
VOLUME /data
VOLUME ["/more data"]
STOPSIGNAL SIGUSR1
SHELL ["/bin/sh", "-e", "-c"]
HEALTHCHECK --interval=5s --retries=3 CMD test -e /run-shell
ENTRYPOINT ["/bin/echo", "said"]
CMD ["by", "default"]
ONBUILD RUN echo triggered > /tmp/trigger
"""
FILES = {"plain": "content\n", "tree/": "", "tree/x": "x", "tree/sub/": "", "tree/sub/a.txt": "A", "tree/sub/b.txt": "B"}


def test_every_instruction_takes_effect(daemon):
    built = build(daemon, EVERYTHING, FILES, t="all:1", buildargs={"given": "from outside"}).succeeded()
    config = settings(daemon, "all:1")
    assert config["Entrypoint"] == ["/bin/echo", "said"] and config["Cmd"] == ["by", "default"]
    assert config["WorkingDir"] == "/app/deeper" and config["User"] == "5:6" and config["StopSignal"] == "SIGUSR1"
    assert config["Labels"] == {"one": "1 1", "two": "1"}
    assert set(config["Volumes"]) == {"/data", "/more data"}
    assert set(config["ExposedPorts"]) == {"80/tcp", "81/udp", "90/tcp", "91/tcp", "92/tcp"}
    assert config["Shell"] == ["/bin/sh", "-e", "-c"] and config["OnBuild"] == ["RUN echo triggered > /tmp/trigger"]
    assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "test -e /run-shell"], "Interval": 5_000_000_000, "Retries": 3}
    assert {"greeting=hello there", "a=1", "b=two words", "c=hello there"} <= set(config["Env"])
    assert daemon.http.get("/images/all:1/json").json()["Author"] == "somebody"
    said = shell(daemon, "all:1", "cat /run-shell /run-list /app/deeper/plain /app/deeper/renamed /tmp/uid /tmp/pwd;"
                                  "cd /tree; find . | sort; cat x sub/*; stat -c %u:%g . x sub/a.txt; ls /texts")
    assert said == ("from outside/default/1/two words/hello there\nroot\ncontent\ncontent\n5\n/app/deeper\n"
                    ".\n./sub\n./sub/a.txt\n./sub/b.txt\n./x\nxAB7:8\n7:8\n7:8\na.txt\nb.txt\n")
    assert daemon.docker("run", "--rm", "all:1").stdout == "said by default\n"
    history = daemon.http.get("/images/all:1/history").json()
    assert any(row["CreatedBy"].startswith("|2 given=from outside other=default /bin/sh -c echo") for row in history)
    assert history[0]["CreatedBy"] == "/bin/sh -e -c #(nop)  ONBUILD RUN echo triggered > /tmp/trigger"
    assert all(row["Id"].startswith("sha256:") for row in history[:20])
    total = len([line for line in EVERYTHING.splitlines() if not line.startswith("#")])
    assert f"Step {total}/{total} : ONBUILD" in built.text
    # Its trigger runs in the build that stands on it, once.
    child = build(daemon, "FROM all:1\nENTRYPOINT []\n").succeeded()
    assert "# Executing 1 build trigger\n" in child.text
    assert "OnBuild" not in settings(daemon, child.id) or not settings(daemon, child.id)["OnBuild"]
    assert shell(daemon, child.id, "cat /tmp/trigger") == "triggered\n"


def test_what_is_said_is_what_docker_says(daemon, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo out; echo errors >&2; printf 'K\\303\\244se'\nCMD [\"true\"]\n")
    said = daemon.docker("build", "-t", "one", "-t", "two:2", str(tmp_path)).stdout
    lines = [line for line in said.splitlines() if line]
    busybox = daemon.http.get("/images/busybox/json").json()["Id"][7:19]
    built = daemon.http.get("/images/one/json").json()
    assert lines[0].startswith("Sending build context to Docker daemon")
    assert lines[1:4] == ["Step 1/3 : FROM busybox", f" ---> {busybox}",
                          "Step 2/3 : RUN echo out; echo errors >&2; printf 'K\\303\\244se'"]
    container = lines[4].removeprefix(" ---> Running in ")
    assert len(container) == 12
    assert {"out", "errors"} <= set("\n".join(lines[5:8]).replace("Käse", "").split())
    assert "Käse" in "".join(lines[5:9])
    assert any(line.endswith(f" ---> Removed intermediate container {container}") for line in lines)
    assert lines[-5:-3] == ["Step 3/3 : CMD [\"true\"]", f" ---> {built['Id'][7:19]}"]
    assert lines[-3:] == [f"Successfully built {built['Id'][7:19]}", "Successfully tagged one:latest", "Successfully tagged two:2"]
    assert set(built["RepoTags"]) == {"one:latest", "two:2"}
    assert daemon.http.get("/containers/json?all=1").json() == []
    quiet = daemon.docker("build", "-q", str(tmp_path)).stdout
    assert quiet == built["Id"] + "\n"


def test_what_is_noted_on_the_way(daemon):
    built = build(daemon, "FROM busybox\nHEALTHCHECK CMD true\nHEALTHCHECK CMD [\"false\"]\nHEALTHCHECK NONE\nHEALTHCHECK CMD x\n"
                          "ENV a=b \\\n\n c=d\n", labels={"b": "2", "a": "1"}).succeeded()
    assert built.text.startswith("[WARNING]: Empty continuation line found in: ENV a=b  c=d\n")
    assert [line for line in built.text.splitlines() if line.startswith("Note")] == [
        "Note: overriding previous HEALTHCHECK: [CMD-SHELL true]", "Note: overriding previous HEALTHCHECK: [CMD false]"]
    assert "Step 7/8 : LABEL a=1\n" in built.text and "Step 8/8 : LABEL b=2\n" in built.text


def test_stages(daemon):
    dockerfile = ("FROM busybox AS Base\nRUN echo base > /made\nFROM scratch AS empty\nCOPY --from=base /made /bin/busybox /bin/\n"
                  "FROM base AS last\nCOPY --from=1 /bin/made /copied\nCOPY --from=busybox:latest /etc/passwd /other\n"
                  "RUN cat /made /copied > /all\n"
                  "FROM nothing/of/this:kind\n")
    built = build(daemon, dockerfile, target="LAST").succeeded()
    assert "nothing/of" not in built.text and "Step 8/8" in built.text
    assert shell(daemon, built.id, "cat /all; head -1 /other") == "base\nbase\nroot:x:0:0:root:/root:/bin/sh\n"
    small = build(daemon, dockerfile, target="1").succeeded()
    export = subprocess.run(["docker", "save", small.id], env=daemon.docker_env(), capture_output=True, check=True).stdout
    names = tarfile.open(fileobj=io.BytesIO(export)).getnames()
    assert len([name for name in names if name.startswith("blobs/sha256/")]) == 3  # a layer, a configuration, a manifest
    assert refusal(daemon, dockerfile, target="none") == "target stage \"none\" could not be found"


def test_copies_from_an_image_keep_their_owners(daemon):
    built = build(daemon, "FROM busybox AS made\nRUN mkdir /d && touch /d/f /g && chown 5:6 /d/f && chown 7:8 /g\nFROM busybox\n"
                          "COPY --from=made /d /d/\nCOPY --from=made /g /new/g\nCOPY --from=made --chown=1:2 /d/f /h\n").succeeded()
    assert shell(daemon, built.id, "stat -c %u:%g /d/f /new /new/g /h") == "5:6\n0:0\n7:8\n1:2\n"
    # Another owner is another file.
    again = build(daemon, "FROM busybox AS made\nRUN mkdir /d && touch /d/f /g && chown 5:7 /d/f && chown 7:8 /g\nFROM busybox\n"
                          "COPY --from=made /d /d/\n").succeeded()
    assert shell(daemon, again.id, "stat -c %u:%g /d/f") == "5:7\n"


def test_add_unpacks_archives_and_fetches(daemon, tmp_path):
    owned = tarfile.TarInfo("owned")
    owned.uid, owned.gid, owned.mode = 11, 12, 0o640
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.addfile(owned)
    files = {"a.tar": plain.getvalue(), "b.tgz": gzip.compress(tar({"zipped/": b"", "zipped/in": b"in"})),
             "c.gz": gzip.compress(b"no tar"), "d.txt": "text"}
    (tmp_path / "fetched.tar").write_bytes(files["a.tar"])

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        built = build(daemon, f"FROM busybox\nADD --chown=3:4 a.tar /x/\nADD b.tgz c.gz d.txt /y/\nADD {url}/fetched.tar /z/\n"
                      "COPY a.tar /copied\n",
                      files).succeeded()
        assert shell(daemon, built.id, "stat -c '%n %u:%g %a' /x/owned; cat /y/zipped/in; ls /y;"
                                       "stat -c '%n %u:%g %a' /z/fetched.tar; ls /z") == \
            "/x/owned 11:12 640\ninc.gz\nd.txt\nzipped\n/z/fetched.tar 0:0 600\nfetched.tar\n"
        assert shell(daemon, built.id, "tar tf /copied") == "owned\n"
        # It has the server's time, and a URL without a name of its own is called as the target is.
        os.utime(tmp_path / "fetched.tar", (1_600_000_000, 1_600_000_000))
        (tmp_path / "index.html").write_text("index")
        named = build(daemon, f"FROM busybox\nADD {url}/ /page\nADD {url}/fetched.tar /\n").succeeded()
        assert shell(daemon, named.id, "cat /page; stat -c ' %Y' /fetched.tar") == "index 1600000000\n"
        gone = build(daemon, f"FROM busybox\nADD {url}/nothing /z/\n")
        assert "ADD failed: failed to GET" in gone.error["message"] and "404" in gone.error["message"]
        # The whole context from there: a tar, or a Dockerfile alone.
        (tmp_path / "whole.tar.gz").write_bytes(gzip.compress(context("FROM busybox\nCOPY d.txt /\n", files)))
        (tmp_path / "only").write_text("FROM busybox\nRUN echo alone > /alone\n")
        for name, expected in (("whole.tar.gz", "text"), ("only", "alone\n")):
            built = build(daemon, None, body=b"", remote=f"{url}/{name}").succeeded()
            assert shell(daemon, built.id, "cat /d.txt /alone 2>/dev/null; true") == expected
    finally:
        server.shutdown()
        server.server_close()


def test_dockerignore(daemon):
    ignore = "# words\n*.log\nsecret\n!secret/shown\n**/tmp\nDockerfile\n.dockerignore\nempty\n"
    files = {".dockerignore": ignore, "a.log": "", "a.txt": "", "deep/": "", "deep/b.log": "", "deep/tmp/": "", "deep/tmp/c": "",
             "secret/": "", "secret/hidden": "", "secret/shown": "", "empty/": ""}
    built = build(daemon, "FROM busybox\nCOPY . /all\n", files).succeeded()
    assert shell(daemon, built.id, "cd /all; find . | sort") == ".\n./a.txt\n./deep\n./deep/b.log\n./secret\n./secret/shown\n"
    assert "excluded by .dockerignore" in build(daemon, "FROM busybox\nCOPY a.log /\n", files).error["message"]


COMPRESSIONS = {"plain": lambda data: data, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_compressed_contexts(daemon, name):
    body = COMPRESSIONS[name](context("FROM busybox\nCOPY a /\n", {"a": "A"}))
    built = build(daemon, None, body=body).succeeded()
    assert shell(daemon, built.id, "cat /a") == "A"
    # From the docker command's standard input: it sends the file as it is.
    daemon.docker("rmi", built.id)
    image = daemon.docker("build", "-q", "-", input=body, text=False).stdout.decode().strip()
    assert image != built.id and shell(daemon, image, "cat /a") == "A"


def test_a_context_compressed_by_zstd(daemon):
    body = subprocess.run(["zstd", "-q"], input=context("FROM busybox\nCOPY a /\n", {"a": "A"}), capture_output=True, check=True)
    built = build(daemon, None, body=body.stdout).succeeded()
    assert shell(daemon, built.id, "cat /a") == "A"


def test_another_dockerfile(daemon):
    files = {"other/file": "FROM busybox\nCMD [\"x\"]\n", "other/": ""}
    assert settings(daemon, build(daemon, None, files, dockerfile="other/file").succeeded().id)["Cmd"] == ["x"]
    done = daemon.docker("build", "-", input="FROM busybox\nCMD [\"y\"]\n")
    assert "Successfully built" in done.stdout
    assert settings(daemon, build(daemon, None, {"dockerfile": "FROM busybox\nCMD [\"z\"]\n"}).succeeded().id)["Cmd"] == ["z"]


def test_a_dockerfile_from_standard_input_beside_a_context(daemon, tmp_path):
    # The docker command ends this tar with the Dockerfile's last byte: nothing fills its block up.
    (tmp_path / "a").write_text("A")
    done = daemon.docker("build", "-q", "-f", "-", str(tmp_path), input="FROM busybox\nCOPY a /\n")
    assert shell(daemon, done.stdout.strip(), "cat /a") == "A"


def test_patterns_of_sources_are_gos(daemon):
    files = {"a.txt": "", "b.txt": "", "!.txt": "", "c/": "", "c/d.txt": "", "c/e/": "", "c/e/f.txt": "", "a*x": "", "aox": ""}
    built = build(daemon, "FROM busybox\nCOPY [^b].txt c/?.txt nothing* [a /negated/\nCOPY [!b].txt /set/\nCOPY *.txt /here/\n"
                          "COPY [a]\\\\** /escaped/\nCOPY c* /directory/\n", files).succeeded()
    assert shell(daemon, built.id, "cd /; ls negated set here escaped directory") == (
        "directory:\nd.txt\ne\n\nescaped:\na*x\n\nhere:\n!.txt\na.txt\nb.txt\n\nnegated:\n!.txt\na.txt\nd.txt\n\n"
        "set:\n!.txt\nb.txt\n")


# Where each name costs a look through all the others, this would take longer than a request may.
def test_as_many_variables_as_a_file_can_hold(daemon):
    many = 60_000
    built = build(daemon, "FROM scratch\nENV " + " ".join(f"v{i}=" for i in range(many)) + "\nLABEL x=y" + "$u" * 250_000 + "\n")
    config = settings(daemon, built.succeeded().id)
    assert config["Labels"] == {"x": "y"} and len(config["Env"]) == 1 + many


# -- what a client asks for beside --

def test_the_id_goes_into_a_file(daemon, tmp_path):
    file = tmp_path / "id"
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCMD [\"x\"]\n")
    daemon.docker("build", "--iidfile", str(file), "-t", "a", "-t", "b:2", str(tmp_path))
    assert {file.read_text()} == {daemon.http.get(f"/images/{tag}/json").json()["Id"] for tag in ("a", "b:2")}
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY nothing /\n")
    assert daemon.docker("build", "--iidfile", str(file), str(tmp_path), check=False).returncode == 1
    assert not file.exists()


def test_limits_and_networks_of_steps(daemon):
    script = ("cat /proc/self/limits | grep 'open files'; df -k /dev/shm | tail -1; grep far /etc/hosts; ip -o link | wc -l;"
              "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true")
    built = build(daemon, f"FROM busybox\nRUN {script}\n", networkmode="none", shmsize="33554432", memory="67108864", memswap="-1",
                  extrahosts="far:10.1.2.3", ulimits=[{"Name": "nofile", "Soft": 100, "Hard": 200}], cpushares="512", cpuquota="50000",
                  cpuperiod="100000", nocache="1").succeeded()
    lines = built.text.splitlines()
    assert any(line.split()[3:5] == ["100", "200"] for line in lines if line.startswith("Max open files"))
    assert any("32768" in line for line in lines) and "10.1.2.3\tfar" in built.text
    assert "1" in lines and "67108864" in lines
    for parameters, message in (({"memory": "1"}, "Minimum memory limit"), ({"networkmode": "container:"}, "invalid container format"),
                                ({"ulimits": [{"Name": "x"}]}, "ulimit"), ({"memory": "x"}, "invalid value"),
                                ({"buildargs": "[]"}, "buildargs"), ({"labels": {"a": 1}}, "labels"), ({"t": "A:b"}, "invalid reference"),
                                ({"platform": "a//b"}, "platform"), ({"securityopt": "x"}, "security options"), ({"buildargs": "{"}, "invalid JSON")):
        assert message in refusal(daemon, "FROM busybox\n", **parameters), parameters


def test_labels_arguments_and_proxies(daemon):
    dockerfile = "ARG outer=1\nFROM busybox\nARG outer\nARG unset\nENV set=env\nARG set=arg\n" \
                 "RUN echo $outer-${unset}-$set-$HTTP_PROXY > /said\n"
    built = build(daemon, dockerfile, labels={"a": "x y", "b": "$z \"q\""}, t=["l:1", "m:2"],
                  buildargs={"outer": "2", "HTTP_PROXY": "p", "stray": "s", "other": None}).succeeded()
    assert shell(daemon, "l:1", "cat /said") == "2--env-p\n"
    assert settings(daemon, "m:2")["Labels"] == {"a": "x y", "b": "$z \"q\""}
    assert "[Warning] One or more build-args [other stray] were not consumed\n" in built.text
    # A proxy alone does not make another image.
    assert build(daemon, dockerfile, labels={"a": "x y", "b": "$z \"q\""},
                 buildargs={"outer": "2", "HTTP_PROXY": "q"}).succeeded().id == built.id


def test_base_images_are_pulled_with_the_clients_credentials(daemon):
    registry = Registry(auth=True)
    try:
        name = f"{registry.name}/base:1"
        build(daemon, "FROM busybox\nRUN echo base > /base\n", t=name).succeeded()
        daemon.docker("login", "-u", USER, "-p", PASSWORD, registry.name)
        daemon.docker("push", name)
        daemon.docker("rmi", name)  # with all that the build has made
        refused = build(daemon, f"FROM {name}\n")
        assert refused.error and refused.id is None
        config = base64.urlsafe_b64encode(json.dumps({registry.name: {"username": USER, "password": PASSWORD}}).encode()).decode()
        built = build(daemon, f"FROM {name}\nRUN true\n", headers={"X-Registry-Config": config}).succeeded()
        assert any(line.get("status", "").startswith("Status: Downloaded newer image") for line in built.lines)
        # Again without: what is here is enough, until the registry is to be asked.
        build(daemon, f"FROM {name}\nRUN true\n").succeeded()
        assert build(daemon, f"FROM {name}\nRUN true\n", pull="1").error
        assert build(daemon, f"FROM {name}\nRUN true\n", pull="1", headers={"X-Registry-Config": config}).succeeded().hits == 1
        # The docker command sends what it has from its login.
        assert daemon.docker("build", "--pull", "-", input=f"FROM {name}\nRUN true\n").returncode == 0
    finally:
        daemon.docker("logout", registry.name, check=False)
        registry.close()


# -- the cache --

def test_the_cache_goes_by_content(daemon):
    dockerfile = "FROM busybox\nCOPY a /\nRUN date +%s%N > /when\nCMD [\"x\"]\n"
    first = build(daemon, dockerfile, {"a": "1"}).succeeded()
    assert first.hits == 0
    later = build(daemon, None, body=context(dockerfile, {"a": "1"}, mtime=1)).succeeded()
    assert later.hits == 3 and later.id == first.id
    changed = build(daemon, dockerfile, {"a": "2"}).succeeded()
    assert changed.hits == 0 and changed.id != first.id
    assert build(daemon, dockerfile.replace("\"x\"", "\"y\""), {"a": "1"}).succeeded().hits == 2
    assert build(daemon, dockerfile, {"a": "1"}, nocache="1").succeeded().hits == 0
    argument = "FROM busybox\nARG v\nRUN echo $v > /v\n"
    one = build(daemon, argument, buildargs={"v": "1"}).succeeded()
    two = build(daemon, argument, buildargs={"v": "2"}).succeeded()
    assert two.hits == 1 and build(daemon, argument, buildargs={"v": "1"}).succeeded().id == one.id


def test_steps_of_an_image_from_elsewhere_are_a_cache_where_it_is_named(daemon, make_daemon):
    dockerfile = "FROM busybox\nENV a=1\nCOPY a /\nRUN date +%s%N > /when\nWORKDIR /w\nCMD [\"x\"]\n"
    first = build(daemon, dockerfile, {"a": "1"}, t="made:1").succeeded()
    other = make_daemon()
    other.http.post("/images/load", body=daemon.http.get("/images/made:1/get").expect(200).body).expect(200)
    before = stored(other)[0]
    unaware = build(other, dockerfile.replace("CMD", "ENV b=1\nCMD"), {"a": "1"}, cachefrom=["absent:1", "busybox"]).succeeded()
    assert unaware.hits == 0 and "[Warning] cache-from absent:1: no such image here\n" in unaware.text
    other.docker("rmi", unaware.id)
    again = build(other, dockerfile, {"a": "1"}, cachefrom=["made:1"]).succeeded()
    assert again.hits == 5 and again.id == first.id
    assert stored(other)[0] == before  # no layer is there twice
    changed = build(other, dockerfile.replace("date", "true; date"), {"a": "1"}, cachefrom=["made:1"]).succeeded()
    assert changed.hits == 2 and changed.id != first.id
    assert build(other, dockerfile, {"a": "2"}, cachefrom=["made:1"]).succeeded().hits == 1
    assert build(other, dockerfile, {"a": "1"}, cachefrom=["made:1"], nocache="1").succeeded().hits == 0
    refusal(other, "FROM busybox\n", cachefrom=[1])


def test_the_cache_outlives_the_daemon_and_goes_with_its_images(make_daemon):
    daemon = make_daemon()
    before = stored(daemon)
    dockerfile = "FROM busybox\nRUN echo 1 > /1\nRUN echo 2 > /2\n"
    first = build(daemon, dockerfile, t="kept").succeeded()
    # A build that fails leaves the steps that were done.
    assert build(daemon, "FROM busybox\nRUN echo 3 > /3\nRUN exit 4\n", forcerm="1").error["code"] == 4
    daemon.restart()
    again = build(daemon, dockerfile).succeeded()
    assert again.hits == 2 and again.id == first.id
    assert build(daemon, "FROM busybox\nRUN echo 3 > /3\nRUN exit 4\n", forcerm="1").hits == 1
    usage = daemon.http.get("/system/df").json()
    assert usage["BuildCache"] == []
    pruned = daemon.http.post("/build/prune").expect(200).json()
    assert any(name.startswith("sha256:") for name in pruned["CachesDeleted"])
    after = daemon.http.get("/system/df").json()["LayersSize"]
    assert pruned["SpaceReclaimed"] == usage["LayersSize"] - after > 0
    # What has a tag, or was asked for, is no mere step.
    assert build(daemon, dockerfile).succeeded().hits == 2
    untagged = build(daemon, "FROM busybox\nRUN echo 5 > /5\n").succeeded()
    assert daemon.http.post("/build/prune").json() == {"CachesDeleted": None, "SpaceReclaimed": 0}
    assert "Total reclaimed space: 0B" in daemon.docker("builder", "prune", "-f").stdout
    daemon.docker("rmi", "kept", untagged.id)
    assert stored(daemon) == before


def test_images_of_a_build_that_goes_on_are_kept(daemon):
    stream, text = begun(daemon, "FROM busybox\nENV a=1\nRUN echo begun; sleep 600\n")
    with stream:
        assert daemon.http.post("/build/prune").json()["CachesDeleted"] is None
        assert daemon.http.post("/images/prune").json()["ImagesDeleted"] is None
        step = text.split(" ---> ")[2][:12]
        assert "being used" in daemon.http.delete(f"/images/{step}?force=1").expect(409).json()["message"]
    eventually(lambda: nothing_goes_on(daemon), what="the end of the build")
    assert daemon.http.post("/build/prune").json()["CachesDeleted"] is not None


# -- other clients --

def test_python_client(daemon, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\nARG x\nCOPY . /c\nRUN echo $x > /x\n")
    (tmp_path / "file").write_text("f")
    (tmp_path / ".dockerignore").write_text("Dockerfile\n")
    image, lines = daemon.client().images.build(path=str(tmp_path), tag="py", buildargs={"x": "1"}, labels={"l": "v"}, rm=True,
                                                container_limits={"memory": 64 << 20}, shmsize=1 << 20, extra_hosts={"h": "1.2.3.4"})
    assert image.tags == ["py:latest"] and image.labels == {"l": "v"}
    assert shell(daemon, "py", "ls -A /c; cat /x") == ".dockerignore\nfile\n1\n"
    with pytest.raises(docker.errors.BuildError, match="returned a non-zero code: 3"):
        (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN exit 3\n")
        daemon.client().images.build(path=str(tmp_path), rm=True, forcerm=True)


def test_compose_builds_its_services(daemon, tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web/Dockerfile").write_text("FROM busybox AS one\nARG word\nRUN echo $word > /index.html\nFROM one AS two\nRUN false\n")
    (tmp_path / "docker-compose.yml").write_text("""
version: "3.8"
services:
  web:
    build: {context: web, target: one, args: {word: served}, labels: [from=compose], shm_size: 1048576}
    image: composed:1
    command: cat /index.html
""")
    env = daemon.docker_env()
    compose = ["docker-compose", "--no-ansi", "-p", "built", "-f", str(tmp_path / "docker-compose.yml")]
    for arguments in (["build"], ["up", "--build"]):
        done = subprocess.run([*compose, *arguments], env=env, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "served" in done.stdout
    assert settings(daemon, "composed:1")["Labels"]["from"] == "compose"
    subprocess.run([*compose, "down"], env=env, capture_output=True, timeout=60)

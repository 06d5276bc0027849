"""Images between Quoll and a real dockerd: what one saves, builds or pushes, the other loads, pulls and runs under the same
ids, with the same configuration and history."""

import pytest

from builds import build
from dockerd import Dockerd
from registry import Registry
from test_other_engines import output_of

NONE = ("--network", "none")
DOCKERFILE = """FROM cross/base:1
RUN echo built > /built && mkdir /d && chmod 0750 /d && ln -s /built /link && rm /bin/wget
COPY --chown=1:2 data /data
ENV FROM_DOCKERD="two words"
LABEL by=dockerd
EXPOSE 80
VOLUME /kept
WORKDIR /d
CMD ["cat", "/link", "/data"]
"""
SCRIPT = "stat -c '%a %u %g' /d /data; ls /bin/wget 2>&1; echo $FROM_DOCKERD; pwd"
SEEN = "750 0 0\n644 1 2\nls: /bin/wget: No such file or directory\ntwo words\n/d\n"


@pytest.fixture(scope="module")
def dockerd():
    engine = Dockerd()
    yield engine
    engine.close()


@pytest.fixture
def images(make_daemon):
    return make_daemon()


def facts(engine, image):
    """What both must agree on, as the older of the two APIs tells it."""
    told = engine.http.get(f"/v1.41/images/{image}/json").expect(200).json()
    history = engine.http.get(f"/v1.41/images/{image}/history").expect(200).json()
    return ({key: told[key] for key in ("Id", "RepoTags", "Created", "Author", "Architecture", "Os", "Config", "RootFS")},
            [{key: step[key] for key in ("Created", "CreatedBy", "Comment")} for step in history])


def digests(engine, image):
    return engine.http.get(f"/v1.41/images/{image}/json").expect(200).json()["RepoDigests"]


def test_what_is_saved_here_is_the_same_there(images, dockerd, tmp_path):
    images.docker("tag", "busybox", "cross/base:1")
    build(images, "FROM cross/base:1\nRUN echo one > /one && chmod 4711 /one\nENV A=\"b c\"\nCMD [\"cat\", \"/one\"]\n",
          t=["cross/one:1", "cross/one:again"]).succeeded()
    build(images, "FROM cross/one:1\nCOPY --chown=5:6 data /two/\nUSER 5\nENTRYPOINT [\"cat\"]\nCMD [\"/two/data\"]\n",
          {"data": "two\n"}, t="cross/two:1").succeeded()
    names = ["cross/base:1", "cross/one:1", "cross/one:again", "cross/two:1"]
    images.docker("save", "-o", str(tmp_path / "single.tar"), names[0])
    images.docker("save", "-o", str(tmp_path / "all.tar"), *names)
    loaded = dockerd("load", "-q", "-i", str(tmp_path / "single.tar")) + dockerd("load", "-q", "-i", str(tmp_path / "all.tar"))
    assert loaded.splitlines() == [f"Loaded image: {name}" for name in [names[0], *names]]
    for name in names[1:]:
        assert facts(dockerd, name) == facts(images, name)
    assert dockerd("run", "--rm", *NONE, "cross/one:again") == output_of(images, "cross/one:again") == "one\n"
    assert dockerd("run", "--rm", *NONE, "cross/two:1") == output_of(images, "cross/two:1") == "two\n"
    script = "stat -c '%a %u %g' /one /two /two/data; echo $A; id -u"
    assert dockerd("run", "--rm", *NONE, "--entrypoint", "sh", "cross/two:1", "-c", script) == \
        "4711 0 0\n755 5 6\n644 5 6\nb c\n5\n"


def test_what_dockerd_has_built_on_ours_is_the_same_here(images, dockerd, tmp_path):
    images.docker("tag", "busybox", "cross/base:1")
    images.docker("save", "-o", str(tmp_path / "base.tar"), "cross/base:1")
    dockerd("load", "-q", "-i", str(tmp_path / "base.tar"))
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "context/data").write_text("copied\n")
    dockerd("build", "-q", *NONE, "-t", "cross/built:1", str(tmp_path / "context"))
    dockerd("save", "-o", str(tmp_path / "built.tar"), "cross/built:1", "cross/base:1")
    images.docker("rmi", "cross/base:1", "busybox")
    images.docker("load", "-i", str(tmp_path / "built.tar"))
    for name in ("cross/built:1", "cross/base:1"):
        assert facts(images, name) == facts(dockerd, name)
    assert output_of(images, "cross/built:1") == dockerd("run", "--rm", *NONE, "cross/built:1") == "built\ncopied\n"
    assert output_of(images, "cross/built:1", "sh", "-c", SCRIPT) == SEEN
    # What dockerd has built is ours to build upon.
    assert build(images, "FROM cross/built:1\nRUN cat /link > /more\nCMD [\"cat\", \"/more\"]\n", t="cross/more:1").succeeded()
    assert output_of(images, "cross/more:1") == "built\n"


def test_one_pulls_what_the_other_has_pushed(images, dockerd):
    registry = Registry()
    try:
        name = f"{registry.name}/cross"
        build(images, "FROM busybox\nRUN echo pushed > /it\nCMD [\"cat\", \"/it\"]\n", t=f"{name}:ours").succeeded()
        images.docker("push", "-q", f"{name}:ours")
        dockerd("pull", "-q", f"{name}:ours")
        assert facts(dockerd, f"{name}:ours") == facts(images, f"{name}:ours")
        assert digests(dockerd, f"{name}:ours") == digests(images, f"{name}:ours") != []
        assert dockerd("run", "--rm", *NONE, f"{name}:ours") == "pushed\n"
        container = dockerd("create", *NONE, f"{name}:ours", "true").strip()
        dockerd("commit", "-c", "CMD [\"echo\", \"theirs\"]", container, f"{name}:theirs")
        dockerd("rm", container)
        dockerd("push", "-q", f"{name}:theirs")
        images.docker("pull", "-q", f"{name}:theirs")
        assert facts(images, f"{name}:theirs") == facts(dockerd, f"{name}:theirs")
        assert digests(images, f"{name}:theirs") == digests(dockerd, f"{name}:theirs") != []
        assert output_of(images, f"{name}:theirs") == "theirs\n"
    finally:
        registry.close()

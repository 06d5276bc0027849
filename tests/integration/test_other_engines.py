"""Images between engines that do not know each other: built by buildah they run here, ours run in podman, and the digests
are the same in both. Chroot isolation, vfs and roots of their own, so that no daemon and no overlay is needed there."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest

import containers
from builds import build

DOCKERFILE = """
FROM oci:{base}:busybox
RUN echo built > /built && mkdir /d && chmod 0750 /d && ln -s /built /link && rm /bin/wget
COPY --chown=1:2 data /data
ENV FROM_BUILDAH=yes
CMD ["cat", "/link"]
"""
NAME = "cross/made:1"


def run(*command, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **kwargs)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


class Buildah:
    """The image, built once for all tests."""

    def __init__(self, base, busybox_tar):
        self.base = base
        layout = os.path.join(base, "oci")
        run("skopeo", "--insecure-policy", "copy", "-q", f"docker-archive:{busybox_tar}", f"oci:{layout}:busybox")
        context = os.path.join(base, "context")
        os.mkdir(context)
        with open(os.path.join(context, "Dockerfile"), "w") as file:
            file.write(DOCKERFILE.format(base=layout))
        with open(os.path.join(context, "data"), "w") as file:
            file.write("copied\n")
        self("build", "--isolation", "chroot", "--layers", "-t", NAME, context)
        self.facts = json.loads(self("inspect", "--type", "image", NAME))

    def __call__(self, *arguments):
        return run("buildah", "--root", f"{self.base}/root", "--runroot", f"{self.base}/run", "--storage-driver", "vfs", *arguments)

    @property
    def diff_ids(self):
        return self.facts["OCIv1"]["rootfs"]["diff_ids"]

    def push(self, form, path):
        """Writes the archive; returns the digest of its manifest."""
        digest = os.path.join(self.base, "digest")
        self("push", "--digestfile", digest, NAME, f"{form}:{path}:{NAME}")
        with open(digest) as file:
            return file.read().strip()


class Podman:
    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="qpod", dir="/tmp")  # it refuses long paths
        self.cgroup = "/quoll-test-" + os.path.basename(self.base)

    def __call__(self, *arguments):
        return run("podman", "--root", f"{self.base}/root", "--runroot", f"{self.base}/run", "--tmpdir", f"{self.base}/tmp",
                   "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "runc",
                   *arguments)

    def run(self, image, *command):
        # Its own defaults ask for more descriptors than a host without CAP_SYS_RESOURCE may give.
        return self("run", "--rm", "--network", "none", "--cgroups", "no-conmon", "--cgroup-parent", self.cgroup, "--log-driver",
                    "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", image, *command)

    def inspect(self, image):
        return json.loads(self("image", "inspect", image))[0]

    def close(self):
        try:
            self("rmi", "-af")
        finally:
            for folder, _, _ in list(os.walk("/sys/fs/cgroup", topdown=False)):
                if folder.endswith(self.cgroup) or self.cgroup + "/" in folder:
                    os.rmdir(folder)
            shutil.rmtree(self.base)


@pytest.fixture(scope="module")
def buildah(tmp_path_factory, busybox_tar):
    base = str(tmp_path_factory.mktemp("buildah"))
    yield Buildah(base, busybox_tar)
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def podman():
    made = Podman()
    yield made
    made.close()


@pytest.fixture
def images(make_daemon):
    return make_daemon(image=False)


def output_of(daemon, image, *command):
    container = daemon.docker("run", "-d", image, *command).stdout.strip()
    containers.wait(daemon, container)
    return containers.logs(daemon, container).decode()


def inspect(daemon, image):
    return daemon.http.get(f"/images/{image}/json").expect(200).json()


SCRIPT = "stat -c '%a %u %g' /d /data; cat /data; ls /bin/wget 2>&1; echo $FROM_BUILDAH"
SEEN = "750 0 0\n644 1 2\ncopied\nls: /bin/wget: No such file or directory\nyes\n"


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_what_buildah_has_built_runs_here_under_the_same_digests(images, buildah, tmp_path, form):
    path = tmp_path / "out.tar"
    manifest = buildah.push(form, path)
    images.docker("load", "-i", str(path))
    facts = inspect(images, NAME)
    assert facts["Id"] == "sha256:" + buildah.facts["FromImageID"]
    assert facts["RootFS"]["Layers"] == buildah.diff_ids
    if form == "oci-archive":
        assert [digest.rpartition("@")[2] for digest in facts["RepoDigests"]] == [manifest]
    assert output_of(images, NAME) == "built\n"
    assert output_of(images, NAME, "sh", "-c", SCRIPT) == SEEN


def test_what_is_saved_here_runs_in_podman_under_the_same_digests(images, buildah, podman, tmp_path):
    buildah.push("oci-archive", tmp_path / "in.tar")
    images.docker("load", "-i", str(tmp_path / "in.tar"))
    images.docker("save", "-o", str(tmp_path / "out.tar"), NAME)
    podman("load", "-q", "-i", str(tmp_path / "out.tar"))
    facts = podman.inspect(NAME)
    assert facts["Id"] == inspect(images, NAME)["Id"][7:] == buildah.facts["FromImageID"]
    assert facts["RootFS"]["Layers"] == buildah.diff_ids
    assert podman.run(NAME) == "built\n"
    assert podman.run(NAME, "sh", "-c", SCRIPT) == SEEN


def test_what_is_committed_here_runs_in_podman(images, busybox_tar, podman, tmp_path):
    images.load_image(busybox_tar)
    container = images.docker("run", "-d", "busybox", "sh", "-c",
                              "mkdir /m; echo new >/m/file; chown 3:4 /m/file; chmod 4711 /m/file; rm /bin/wget; ln -s file /m/link").stdout.strip()
    containers.wait(images, container)
    images.docker("commit", "-c", 'CMD ["cat", "/m/link"]', container, "cross/committed:1")
    images.docker("save", "-o", str(tmp_path / "out.tar"), "cross/committed:1")
    podman("load", "-q", "-i", str(tmp_path / "out.tar"))
    facts, ours = podman.inspect("cross/committed:1"), inspect(images, "cross/committed:1")
    assert (facts["Id"], facts["RootFS"]["Layers"]) == (ours["Id"][7:], ours["RootFS"]["Layers"])
    assert podman.run("cross/committed:1") == "new\n"
    assert podman.run("cross/committed:1", "sh", "-c", "stat -c '%a %u %g' /m/file; ls /bin/wget 2>&1 || true") == \
        "4711 3 4\nls: /bin/wget: No such file or directory\n"


def test_what_is_built_here_runs_in_podman(images, busybox_tar, podman, tmp_path):
    images.load_image(busybox_tar)
    build(images, "FROM busybox\nRUN mkdir /m && echo built >/m/file && chmod 4711 /m/file && rm /bin/wget\n"
                  "COPY --chown=5:6 data /m/\nWORKDIR /m\nCMD [\"cat\", \"file\", \"data\"]\n", {"data": "copied\n"}, t="cross/built:1").succeeded()
    images.docker("save", "-o", str(tmp_path / "out.tar"), "cross/built:1")
    podman("load", "-q", "-i", str(tmp_path / "out.tar"))
    facts, ours = podman.inspect("cross/built:1"), inspect(images, "cross/built:1")
    assert (facts["Id"], facts["RootFS"]["Layers"]) == (ours["Id"][7:], ours["RootFS"]["Layers"])
    assert podman.run("cross/built:1") == "built\ncopied\n"
    assert podman.run("cross/built:1", "sh", "-c", "stat -c '%a %u %g' file data; ls /bin/wget 2>&1 || true") == \
        "4711 0 0\n644 5 6\nls: /bin/wget: No such file or directory\n"

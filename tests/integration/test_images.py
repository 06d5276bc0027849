"""Images: loaded from every form of archive, listed, removed; and what a bad or broken upload leaves, which is nothing."""

import concurrent.futures
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

import docker
import pytest

import containers
from http_client import reset_on_close
from waiting import eventually


@pytest.fixture
def images(make_daemon):
    """A daemon without an image."""
    return make_daemon(image=False)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def tar(entries):
    """A tar of {name: bytes}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def archive(tags, files, labels=None):
    """A docker-archive of one image with one layer of these files."""
    layer = tar(files)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/x"], "Labels": labels},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer)]}}).encode()
    manifest = json.dumps([{"Config": f"{digest(config)}.json", "RepoTags": tags, "Layers": ["layer.tar"]}]).encode()
    return tar({f"{digest(config)}.json": config, "layer.tar": layer, "manifest.json": manifest}), "sha256:" + digest(config)


def work_files(daemon):
    """What loads on their way have on the disk: work directories, and temporary files anywhere below the root."""
    found = []
    for folder, _, names in os.walk(daemon.root):
        found += [os.path.join(folder, name) for name in names if "/work/" in folder + "/" or ".tmp" in name]
    return found


def unflushed(daemon):
    """Layers that the index says may not be on the disk."""
    path = os.path.join(daemon.root, "images/references.json")
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return json.load(file).get("unflushed")


def stored(daemon):
    """Everything below the image store, with sizes, once the layers are on the disk."""
    eventually(lambda: not unflushed(daemon), what="all layers on the disk")
    found = {}
    for part in ("images", "layers"):
        for folder, folders, names in os.walk(os.path.join(daemon.root, part)):
            for name in folders + names:
                path = os.path.join(folder, name)
                found[os.path.relpath(path, daemon.root)] = os.path.islink(path) or os.path.isdir(path) or os.path.getsize(path)
    return found


def load(daemon, data, **kwargs):
    return daemon.http.post("/images/load", body=data, headers={"Content-Type": "application/x-tar"}, **kwargs)


def tags(daemon):
    return sorted(tag for image in daemon.http.get("/images/json").expect(200).json() for tag in image["RepoTags"])


# -- the forms --


def compressed(kind, path, tmp_path):
    out = tmp_path / f"busybox.tar.{kind}"
    if kind == "plain":
        return path
    if kind == "gzip":
        out.write_bytes(gzip.compress(path.read_bytes(), 1))
    else:
        subprocess.run(["zstd", "-q", "-1", path, "-o", out], check=True)
    return out


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd"])
def test_docker_load_takes_archives_of_every_compression(images, busybox_tar, tmp_path, kind):
    done = images.docker("load", "-i", str(compressed(kind, busybox_tar, tmp_path)))
    assert "Loaded image: busybox:latest" in done.stdout
    assert tags(images) == ["busybox:latest"]
    assert containers.logs(images, containers.finished(images, "echo works")) == b"works\n"
    assert work_files(images) == []


def test_docker_load_from_standard_input(images, busybox_tar):
    done = images.docker("load", "-q", input=busybox_tar.read_bytes(), text=False)
    assert b"Loaded image: busybox:latest" in done.stdout


def skopeo_copy(source, target):
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", source, target], check=True)


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_what_skopeo_writes_is_loaded_and_runs(images, busybox_tar, tmp_path, form):
    out = tmp_path / "image.tar"
    skopeo_copy(f"docker-archive:{busybox_tar}", f"{form}:{out}:tagged:v1")
    assert "Loaded image: tagged:v1" in images.docker("load", "-i", str(out)).stdout
    container = images.docker("run", "-d", "tagged:v1", "echo", "from skopeo").stdout.strip()
    containers.wait(images, container)
    assert containers.logs(images, container) == b"from skopeo\n"


def test_the_same_image_in_two_forms_is_one_image(images, busybox_tar, tmp_path):
    out = tmp_path / "image.tar"
    skopeo_copy(f"docker-archive:{busybox_tar}", f"oci-archive:{out}:other:v1")
    images.load_image(busybox_tar)
    one = images.http.get("/images/busybox/json").expect(200).json()
    load(images, out.read_bytes()).expect(200)
    two = images.http.get("/images/other:v1/json").expect(200).json()
    assert one["RootFS"] == two["RootFS"]
    assert containers.logs(images, containers.finished(images, "echo still")) == b"still\n"


def test_loading_twice_changes_nothing(images, busybox_tar):
    images.load_image(busybox_tar)
    before = stored(images)
    images.load_image(busybox_tar)
    assert stored(images) == before


def test_a_layer_is_on_the_disk_a_moment_after_the_load(images, busybox_tar):
    images.load_image(busybox_tar)
    eventually(lambda: not unflushed(images), what="all layers on the disk")


def test_a_kill_right_behind_the_answer_leaves_the_layers_and_their_flush_to_the_next_start(make_daemon, busybox_tar):
    daemon = make_daemon(image=False)
    daemon.load_image(busybox_tar)
    daemon.kill9()
    daemon.start()
    assert containers.logs(daemon, containers.finished(daemon, "echo works")) == b"works\n"
    eventually(lambda: not unflushed(daemon), what="all layers on the disk")


def test_a_chunked_upload_of_unknown_length(images, busybox_tar):
    with open(busybox_tar, "rb") as file:
        images.http.post("/images/load", body=iter(lambda: file.read(10_000), b"")).expect(200)
    assert tags(images) == ["busybox:latest"]


def test_curl_uploads_with_expect_100(images, busybox_tar):
    command = ["curl", "-sS", "--fail", "--unix-socket", images.socket_path, "-H", "Expect: 100-continue",
               "--data-binary", f"@{busybox_tar}", "http://localhost/v1.40/images/load"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "Loaded image: busybox:latest" in done.stdout, done.stderr


def test_two_loads_at_once(images, busybox_tar):
    data = busybox_tar.read_bytes()
    others = [archive([f"other{index}:latest"], {"x": b"x" * 100_000, "n": str(index).encode()})[0] for index in range(4)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda body: load(images, body), [data, data, *others, *others[:2]]):
            answer.expect(200)
    assert tags(images) == ["busybox:latest", *(f"other{index}:latest" for index in range(4))]
    assert containers.logs(images, containers.finished(images, "echo works")) == b"works\n"
    assert work_files(images) == []


def test_a_hundred_images_of_shared_layers_leave_exactly_what_remains(images):
    def image_of(name, *own):
        """Two layers that all share, and some of its own: the archive's parts."""
        layers = [tar({"base": b"b" * 50_000}), tar({"more": b"m" * 20_000}), *(tar({f"own{i}": data}) for i, data in enumerate(own))]
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/" + name]},
                             "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer) for layer in layers]}}).encode()
        files = {f"{digest(layer)}.tar": layer for layer in layers} | {f"{digest(config)}.json": config}
        return files, {"Config": f"{digest(config)}.json", "RepoTags": [f"{name}:1"],
                       "Layers": [f"{digest(layer)}.tar" for layer in layers]}

    def archive_of(made):
        files = {}
        for parts, _ in made:
            files |= parts
        return tar(files | {"manifest.json": json.dumps([entry for _, entry in made]).encode()})

    load(images, archive_of([image_of("stays", b"s" * 3000)])).expect(200)
    before, usage = stored(images), images.http.get("/system/df").expect(200).json()["LayersSize"]
    # Each has a layer of its own, and every tenth one shares a further one with the tenth before.
    load(images, archive_of([image_of(f"goes{i}", b"%d" % i * 500, b"t%d" % (i % 10) * 700) for i in range(100)])).expect(200)
    assert len(tags(images)) == 101 and len(stored(images)) > len(before) + 300
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda i: images.http.delete(f"/images/goes{i}:1"), range(100)):
            answer.expect(200)
    assert tags(images) == ["stays:1"]
    after = stored(images)
    assert {path: size for path, size in after.items() if path != "images/references.json"} == \
        {path: size for path, size in before.items() if path != "images/references.json"}
    assert images.http.get("/system/df").expect(200).json()["LayersSize"] == usage


# -- bad and broken uploads --


BAD = {
    "empty": b"",
    "garbage": b"this is no archive at all" * 1000,
    "zeros": b"\0" * 10_240,
    "a tar without an image": tar({"hello": b"hello"}),
    "a manifest that is no JSON": tar({"manifest.json": b"{"}),
    "a layer that is missing": tar({"manifest.json": b'[{"Config":"c.json","RepoTags":["a:b"],"Layers":["l.tar"]}]',
                                    "c.json": b'{"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' % (b"0" * 64)}),
    "a path out of the archive": tar({"../../etc/passwd": b"x", "manifest.json": b"[]"}),
    "gzip of garbage": gzip.compress(b"garbage" * 1000),
    "half a gzip": gzip.compress(os.urandom(20_000))[:9000],
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_image_is_refused_and_leaves_nothing(daemon, what):
    before = stored(daemon)
    answer = load(daemon, BAD[what]).expect(400)
    assert answer.json()["message"]
    assert stored(daemon) == before
    assert work_files(daemon) == []


def test_a_layer_that_is_not_what_its_digest_says_is_refused(daemon):
    before = stored(daemon)
    good, _ = archive(["bad:latest"], {"x": b"abcdefgh"})
    assert good.count(b"abcdefgh") == 1
    load(daemon, good.replace(b"abcdefgh", b"abcdefgX")).expect(400)
    assert stored(daemon) == before


@pytest.mark.parametrize("part", [0.001, 0.5, 0.97])
def test_half_an_archive_is_refused_and_leaves_nothing(daemon, part):
    before = stored(daemon)
    data = archive(["half:latest"], {"x": os.urandom(500_000)})[0]
    load(daemon, data[:int(len(data) * part)]).expect(400)
    assert stored(daemon) == before


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("part", [0, 100, 300_000])
def test_a_client_that_leaves_in_the_middle_of_an_upload_leaves_nothing(daemon, transport, leave, part):
    before = stored(daemon)
    data = archive(["gone:latest"], {"x": os.urandom(2_000_000)})[0]
    client = daemon.tcp if transport == "tcp" else daemon.http
    sock = client.connect()
    sock.sendall(f"POST /images/load HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data[:part])
    daemon.leak_check("--expect-alive", "load_images")
    if leave == "reset":
        reset_on_close(sock)
    sock.close()
    daemon.leak_check("load_images", "receive_upload")
    eventually(lambda: work_files(daemon) == [], what="no temporary file")
    eventually(lambda: stored(daemon) == before, what="the store as it was")
    assert "gone:latest" not in tags(daemon)


def test_uploads_that_stand_still_hold_nobody_up(daemon):
    data, _ = archive(["other:latest"], {"x": b"x"})
    uploads = []
    try:
        for _ in range(100):
            uploads.append(daemon.http.connect())
            uploads[-1].sendall(b"POST /images/load HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + data[:500])
        eventually(lambda: daemon.dump().count("quoll::api::load_images(") == 100)
        load(daemon, data, timeout=20).expect(200)
        container = containers.create(daemon, "echo works")
        daemon.http.post(f"/containers/{container}/start", timeout=20).expect(204)
        assert containers.wait(daemon, container) == 0
        assert containers.logs(daemon, container) == b"works\n"
    finally:
        for sock in uploads:
            sock.close()
    daemon.leak_check("load_images")
    eventually(lambda: work_files(daemon) == [])


def test_docker_load_of_a_bad_archive_says_what_is_wrong(daemon, tmp_path):
    # Large enough that the answer is there long before the end of the upload.
    (tmp_path / "bad.tar").write_bytes(tar({"hello": b"hello", "big": b"\0" * (20 << 20)}))
    (tmp_path / "worse.tar").write_bytes(b"no archive" * (2 << 20))
    for name in ("bad.tar", "worse.tar"):
        done = daemon.docker("load", "-i", str(tmp_path / name), check=False)
        assert done.returncode == 1 and "Error response from daemon" in done.stderr, done.stderr


# -- list, inspect, remove --


def test_list_and_inspect_have_what_clients_read(daemon):
    data, image_id = archive(["shown:v1", "shown:v2"], {"x": b"x"}, labels={"who": "test"})
    load(daemon, data).expect(200)
    [row] = [row for row in daemon.http.get("/images/json").expect(200).json() if row["Id"] == image_id]
    assert sorted(row["RepoTags"]) == ["shown:v1", "shown:v2"] and row["Size"] > 0 and row["Labels"] == {"who": "test"}
    for name in ("shown:v1", image_id, image_id[7:19], f"docker.io/library/shown:v2"):
        seen = daemon.http.get(f"/images/{name}/json").expect(200).json()
        assert seen["Id"] == image_id and seen["Config"]["Cmd"] == ["/x"] and seen["Os"] == "linux"
    daemon.http.get("/images/shown/json").expect(404)  # there is no shown:latest
    table = daemon.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    assert set(table) >= {"busybox:latest", "shown:v1", "shown:v2"}
    assert daemon.docker("images", "-q", "shown").stdout.split() == [image_id[7:19]] * 2
    assert daemon.docker("inspect", "-f", "{{.Id}}", "shown:v1").stdout.strip() == image_id
    client = daemon.client()
    assert client.images.get("shown:v1").id == image_id
    assert [image.id for image in client.images.list(filters={"label": "who=test"})] == [image_id]
    assert [image.id for image in client.images.list(name="shown")] == [image_id]


def test_rmi_untags_first_and_deletes_last(daemon):
    data, image_id = archive(["gone:a", "gone:b"], {"only": b"here" * 50_000})
    before = stored(daemon)
    load(daemon, data).expect(200)
    assert daemon.docker("rmi", "gone:a").stdout == "Untagged: gone:a\n"
    assert tags(daemon) == ["busybox:latest", "gone:b"]
    done = daemon.docker("rmi", "gone:b").stdout.splitlines()
    assert done[0] == "Untagged: gone:b" and f"Deleted: {image_id}" in done
    assert tags(daemon) == ["busybox:latest"]
    # The index is written anew, and may differ in its bytes but in nothing else.
    eventually(lambda: set(stored(daemon)) == set(before), what="the files that were there before")


def test_an_image_with_two_tags_is_not_removed_by_its_id_without_force(daemon):
    data, image_id = archive(["two:a", "two:b"], {"x": b"2"})
    load(daemon, data).expect(200)
    refused = daemon.docker("rmi", image_id[7:19], check=False)
    assert refused.returncode == 1
    assert (f"conflict: unable to delete {image_id[7:19]} (must be forced) - image is referenced in multiple repositories"
            in refused.stderr)
    daemon.docker("rmi", "-f", image_id)
    assert tags(daemon) == ["busybox:latest"]


def test_rmi_of_an_image_in_use_is_refused_in_docker_s_words(daemon):
    running = containers.run(daemon, containers.SILENT)
    image_id = daemon.http.get("/images/busybox/json").expect(200).json()["Id"]
    answer = daemon.http.delete("/images/busybox").expect(409).json()["message"]
    assert answer == (f'conflict: unable to remove repository reference "busybox" (must force) - container {running[:12]} is '
                      f"using its referenced image {image_id[7:19]}")
    answer = daemon.http.delete(f"/images/{image_id}").expect(409).json()["message"]
    assert answer == (f"conflict: unable to delete {image_id[7:19]} (cannot be forced) - image is being used by running "
                      f"container {running[:12]}")
    done = daemon.docker("rmi", "busybox", check=False)
    assert done.returncode == 1 and "must force" in done.stderr
    with pytest.raises(docker.errors.APIError) as refused:
        daemon.client().images.remove("busybox")
    assert refused.value.status_code == 409
    assert tags(daemon) == ["busybox:latest"]


def test_an_unknown_image_is_404_everywhere(daemon):
    for method, path in (("GET", "/images/absent/json"), ("DELETE", "/images/absent:tag")):
        assert daemon.http.request(method, path).expect(404).json()["message"].startswith("No such image: absent")
    assert "No such image" in daemon.docker("rmi", "absent", check=False).stderr
    with pytest.raises(docker.errors.ImageNotFound):
        daemon.client().containers.create("absent", "true")


def test_images_are_there_after_a_restart(make_daemon):
    daemon = make_daemon()
    before = daemon.http.get("/images/json").expect(200).json()
    daemon.restart()
    assert daemon.http.get("/images/json").expect(200).json() == before
    assert containers.logs(daemon, containers.finished(daemon, "echo works")) == b"works\n"

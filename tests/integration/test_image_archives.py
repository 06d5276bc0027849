"""Images by their API: tag, history, save and load, import, lists with filters, prune; and skopeo on what was saved."""

import hashlib
import http.server
import io
import json
import os
import subprocess
import tarfile
import threading
import urllib.parse

import pytest

import containers
from test_images import archive, load, tags, tar


def inspect(daemon, name):
    return daemon.http.get(f"/images/{name}/json").expect(200).json()


def save(daemon, *names):
    query = "&".join(f"names={name}" for name in names)
    return daemon.http.get(f"/images/get?{query}").expect(200).body


def entries(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as file:
        return {info.name: file.extractfile(info).read() if info.isfile() else None for info in file}


def listed(daemon, **query):
    text = "&".join(f"{key}={value}" for key, value in query.items())
    return daemon.http.get(f"/images/json?{text}").expect(200).json()


def filters_of(**filters):
    return urllib.parse.quote(json.dumps(filters))


def ids(rows):
    return [row["Id"] for row in rows]


def commit(daemon, image, reference="", changes=""):
    container = daemon.http.post("/containers/create", json={"Image": image, "Cmd": ["true"]}).expect(201).json()["Id"]
    answer = daemon.http.post(f"/commit?container={container}&repo={reference}&changes={changes}").expect(201).json()
    daemon.http.delete(f"/containers/{container}").expect(204)
    return answer["Id"]


def output_of(daemon, image, *command):
    """What a container of the image writes."""
    container = daemon.docker("run", "-d", image, *command).stdout.strip()
    containers.wait(daemon, container)
    return containers.logs(daemon, container)


# -- tag and history --


def test_tags_lead_to_an_image_and_move(daemon):
    data, image_id = archive(["moved:a"], {"x": b"1"})
    load(daemon, data).expect(200)
    daemon.docker("tag", "moved:a", "localhost:5000/team/moved:b")
    assert inspect(daemon, "localhost:5000/team/moved:b")["Id"] == image_id
    busybox = inspect(daemon, "busybox")["Id"]
    daemon.http.post("/images/busybox/tag?repo=moved&tag=a").expect(201)
    assert inspect(daemon, "moved:a")["Id"] == busybox
    assert inspect(daemon, image_id)["RepoTags"] == ["localhost:5000/team/moved:b"]
    daemon.http.post("/images/absent/tag?repo=x").expect(404)
    for query in ("", "repo=Upper", "repo=x&tag=a%20b", f"repo=x@sha256:{'a' * 64}"):
        daemon.http.post(f"/images/busybox/tag?{query}").expect(400)


def test_history_tells_the_newest_step_first(daemon):
    child = commit(daemon, "busybox", "hist:1", "ENV%20A=1")
    steps = daemon.http.get("/images/hist:1/history").expect(200).json()
    assert [step["Id"] for step in steps] == [child, inspect(daemon, "busybox")["Id"]]
    assert steps[0]["Tags"] == ["hist:1"] and steps[1]["Tags"] == ["busybox:latest"] and steps[0]["Size"] == 0
    assert steps[1]["Size"] == inspect(daemon, "busybox")["Size"] and steps[1]["CreatedBy"] == "make-busybox-image"
    assert "make-busybox-image" in daemon.docker("history", "hist:1").stdout
    daemon.http.get("/images/absent/history").expect(404)


def test_history_tells_no_image_for_steps_that_were_made_elsewhere(daemon, make_daemon):
    commit(daemon, "busybox", "hist:1", "ENV%20A=1")
    other = make_daemon()
    other.http.post("/images/load", body=daemon.http.get("/images/hist:1/get").expect(200).body).expect(200)
    steps = other.http.get("/images/hist:1/history").expect(200).json()
    assert [step["Id"] for step in steps] == [inspect(daemon, "hist:1")["Id"], "<missing>"]


# -- save --


def test_what_is_saved_loads_to_the_same_image(daemon, make_daemon):
    commit(daemon, "busybox", "child:1", "ENV%20A=1")
    daemon.docker("tag", "busybox", "second:tag")
    data = save(daemon, "busybox", "child:1", "second")
    found = entries(data)
    for name, content in found.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(content).hexdigest() == name[13:]
    manifest = json.loads(found["manifest.json"])
    assert [item["RepoTags"] for item in manifest] == [["busybox:latest", "second:tag"], ["child:1"]]
    for item in manifest:
        assert {item["Config"], *item["Layers"]} <= set(found)
    index = json.loads(found["index.json"])
    assert sorted(entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]) == [
        "docker.io/library/busybox:latest", "docker.io/library/child:1", "docker.io/library/second:tag"]
    assert found["oci-layout"] == b'{"imageLayoutVersion":"1.0.0"}' and "second" in json.loads(found["repositories"])
    other = make_daemon(image=False)
    load(other, data).expect(200)
    assert tags(other) == ["busybox:latest", "child:1", "second:tag"]
    for name in tags(other):
        assert inspect(other, name)["Id"] == inspect(daemon, name)["Id"]
    assert save(other, "busybox", "child:1", "second") == data


def test_docker_save_of_a_name_and_of_an_id(daemon, tmp_path):
    daemon.docker("save", "-o", str(tmp_path / "one.tar"), "busybox:latest")
    image_id = inspect(daemon, "busybox")["Id"]
    by_id = entries(daemon.http.get(f"/images/{image_id}/get").expect(200).body)
    assert json.loads(by_id["manifest.json"])[0]["RepoTags"] is None and "repositories" not in by_id
    assert daemon.docker("load", "-i", str(tmp_path / "one.tar")).stdout == "Loaded image: busybox:latest\n"
    for path in ("/images/absent/get", "/images/get?names=busybox&names=absent:1"):
        daemon.http.get(path).expect(404)
    daemon.http.get("/images/get").expect(400)


def test_an_image_that_is_removed_while_it_is_saved_is_saved_whole(daemon):
    data, image_id = archive(["big:1"], {"x": os.urandom(6 << 20)})
    load(daemon, data).expect(200)
    with daemon.http.stream("/images/big:1/get") as stream:
        begun = stream.read_some(1000)
        daemon.http.delete("/images/big:1").expect(200)
        whole = begun + stream.read_all()
    load(daemon, whole).expect(200)
    assert inspect(daemon, "big:1")["Id"] == image_id


def test_a_client_that_leaves_a_save_or_an_import_leaves_nothing(daemon):
    data, _ = archive(["big:1"], {"x": os.urandom(6 << 20)})
    load(daemon, data).expect(200)
    before = daemon.fd_count_at_rest()
    with daemon.http.stream("/images/big:1/get") as stream:
        stream.read_some()
        daemon.leak_check("--expect-alive", "get_image")
    sock = daemon.http.connect()
    sock.sendall(b"POST /images/create?fromSrc=- HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n" + data[:3 << 20])
    daemon.leak_check("--expect-alive", "import_image")
    sock.close()
    daemon.leak_check("get_image", "import_image", "consume_body")
    assert daemon.fd_count_at_rest() == before
    assert os.listdir(f"{daemon.root}/images/work") == os.listdir(f"{daemon.root}/layers/work") == []


def test_skopeo_reads_and_writes_what_we_save_and_load(daemon, tmp_path):
    commit(daemon, "busybox", "sk:1", "LABEL%20a=b")
    image = inspect(daemon, "sk:1")
    (tmp_path / "saved.tar").write_bytes(save(daemon, "sk:1"))
    (tmp_path / "layout").mkdir()
    with tarfile.open(tmp_path / "saved.tar") as file:
        file.extractall(tmp_path / "layout")

    def skopeo(*arguments):
        done = subprocess.run(["skopeo", "--insecure-policy", *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    seen = json.loads(skopeo("inspect", f"docker-archive:{tmp_path}/saved.tar"))
    assert seen["Labels"] == {"a": "b"} and seen["Layers"] == image["RootFS"]["Layers"]
    skopeo("copy", f"docker-archive:{tmp_path}/saved.tar:sk:1", f"oci:{tmp_path}/oci:one")
    skopeo("copy", f"oci:{tmp_path}/layout:1", f"docker-archive:{tmp_path}/back.tar:back:1")
    skopeo("copy", f"oci:{tmp_path}/oci:one", f"oci-archive:{tmp_path}/oci.tar:docker.io/library/oci:1")
    for name in ("back", "oci"):
        load(daemon, (tmp_path / f"{name}.tar").read_bytes()).expect(200)
        back = inspect(daemon, f"{name}:1")
        assert back["RootFS"] == image["RootFS"] and back["Config"]["Labels"] == {"a": "b"}


# -- import --


@pytest.mark.parametrize("pack", [None, "gzip", "bzip2", "xz", "zstd"])
def test_import_of_a_body(daemon, pack):
    data = tar({"etc/file": b"imported"})
    if pack:
        data = subprocess.run([pack, "-c"], input=data, capture_output=True, check=True).stdout
    done = daemon.docker("import", "-m", "note", "-c", "CMD /bin/x", "-c", "USER 7", "-", "in:1", input=data, text=False)
    image = inspect(daemon, "in:1")
    assert done.stdout.decode().strip() == image["Id"] and image["Comment"] == "note"
    assert image["Config"]["Cmd"] == ["/bin/sh", "-c", "/bin/x"] and image["Config"]["User"] == "7"
    assert image["RootFS"]["Layers"] == ["sha256:" + hashlib.sha256(tar({"etc/file": b"imported"})).hexdigest()]


def test_what_a_container_exports_imports_and_runs(daemon):
    container = containers.finished(daemon, "echo kept > /kept")
    data = daemon.http.get(f"/containers/{container}/export").expect(200).body
    daemon.http.post("/images/create?fromSrc=-&repo=exported&changes=CMD%20cat%20/kept", body=data).expect(200)
    assert output_of(daemon, "exported") == b"kept\n"


def test_import_from_a_url(daemon, tmp_path):
    (tmp_path / "root.tar").write_bytes(tar({"a": b"b"}))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        daemon.http.post(f"/images/create?fromSrc={url}/root.tar&repo=url&tag=1").expect(200)
        assert inspect(daemon, "url:1")["Comment"] == f"Imported from {url}/root.tar"
        assert "404" in daemon.http.post(f"/images/create?fromSrc={url}/none").expect(500, 503).json()["message"]
        server.shutdown()


def test_a_bad_import_is_refused_and_leaves_nothing(daemon):
    before = tags(daemon)
    for data in (b"no tar" * 1000, tar({"../out": b"x"}), tar({"x": b"y" * 5000})[:3000]):
        daemon.http.post("/images/create?fromSrc=-&repo=bad", body=data).expect(400)
    daemon.http.post("/images/create?fromSrc=-&changes=RUN%20x", body=tar({"x": b""})).expect(400)
    assert tags(daemon) == before
    assert os.listdir(f"{daemon.root}/images/work") == os.listdir(f"{daemon.root}/layers/work") == []


# -- list, inspect, prune, removal --


def test_lists_by_every_filter(daemon):
    old, old_id = archive(["old:1"], {"x": b"old"}, labels={"kind": "a"})
    load(daemon, old).expect(200)
    untagged, untagged_id = archive([], {"x": b"untagged"})
    load(daemon, untagged).expect(200)
    busybox = inspect(daemon, "busybox")["Id"]
    new_id = commit(daemon, "busybox", "team/new:2", "LABEL%20kind=b")

    def by(**filters):
        return set(ids(listed(daemon, filters=filters_of(**{key: [value] for key, value in filters.items()}))))

    assert by(dangling="true") == {untagged_id}
    assert untagged_id not in by(dangling="false") and busybox in by(dangling="0")
    assert by(label="kind=a") == {old_id} and by(label="kind") == {old_id, new_id}
    assert by(reference="team/*") == {new_id} and by(reference="old") == {old_id} and by(reference="*:1") == {old_id}
    assert new_id in by(since="busybox") and busybox in by(before="team/new:2")
    assert new_id not in by(until="1h") and new_id in by(until="0s")
    for bad in ('{"dangling":["maybe"]}', '{"nonsense":["x"]}', "{"):
        daemon.http.get(f"/images/json?filters={bad}").expect(400)
    daemon.http.get('/images/json?filters={"before":["absent"]}').expect(404)


def test_what_only_other_images_stand_on_is_not_listed_and_goes_with_them(daemon):
    middle = commit(daemon, "busybox", "", "ENV%20A=1")
    top = commit(daemon, middle, "top:1", "ENV%20B=1")
    assert middle not in ids(listed(daemon)) and middle in ids(listed(daemon, all=1))
    assert {row["Id"]: row["ParentId"] for row in listed(daemon)}[top] == middle
    refused = daemon.http.delete(f"/images/{middle}?force=1").expect(409).json()["message"]
    assert refused == f"conflict: unable to delete {middle[7:19]} (cannot be forced) - image has dependent child images"
    removed = daemon.http.delete("/images/top:1").expect(200).json()
    assert removed == [{"Untagged": "top:1"}, {"Deleted": top}, {"Deleted": middle}]
    kept = commit(daemon, "busybox", "", "ENV%20A=2")
    commit(daemon, kept, "top:2", "ENV%20B=2")
    daemon.http.delete("/images/top:2?noprune=1").expect(200)
    assert kept in ids(listed(daemon))
    assert daemon.http.post("/images/prune").expect(200).json()["ImagesDeleted"] == [{"Deleted": kept}]


def test_prune_takes_what_its_filters_say(daemon):
    data, untagged = archive([], {"x": b"untagged"}, labels={"keep": "yes"})
    load(daemon, data).expect(200)
    data, tagged = archive(["tagged:1"], {"x": b"tagged" * 1000})
    load(daemon, data).expect(200)
    used, used_id = archive(["used:1"], {"x": b"used"})
    load(daemon, used).expect(200)
    daemon.http.post("/containers/create", json={"Image": "used:1"}).expect(201)
    containers.create(daemon)  # of busybox

    def prune(**filters):
        return daemon.http.post(f"/images/prune?filters={filters_of(**filters)}").expect(200).json()["ImagesDeleted"] or []

    assert prune(**{"label!": ["keep=yes"]}) == [] and prune(label=["none"]) == []
    commit(daemon, "busybox", "fresh:1", "ENV%20A=2")
    assert {"Deleted": untagged} in prune(until=["1h"])  # the archives have old times
    assert {"Untagged": "tagged:1"} in prune(dangling=["false"], until=["1h"])
    assert tags(daemon) == ["busybox:latest", "fresh:1", "used:1"]
    assert {"Untagged": "fresh:1"} in prune(dangling=["false"])
    assert tags(daemon) == ["busybox:latest", "used:1"]
    daemon.http.post('/images/prune?filters={"nonsense":["x"]}').expect(400)


def test_shared_sizes_and_manifests(daemon):
    child = commit(daemon, "busybox", "shares:1", "ENV%20A=1")
    container = daemon.http.post("/containers/create", json={"Image": "shares:1", "Cmd": ["x"]}).expect(201).json()["Id"]
    rows = {row["Id"]: row for row in listed(daemon, **{"shared-size": 1, "manifests": 1})}
    assert rows[child]["SharedSize"] == rows[child]["Size"] > 0
    [manifest] = rows[child]["Manifests"]
    assert manifest["ImageData"]["Containers"] == [container] and manifest["Available"]
    assert manifest["Size"]["Total"] > manifest["ImageData"]["Size"]["Unpacked"] == rows[child]["Size"]
    assert all(row["SharedSize"] == -1 and "Manifests" not in row for row in listed(daemon))


def test_inspect_has_the_form_of_the_client_s_version(daemon):
    newest, oldest = (daemon.http.get(f"{version}/images/busybox/json").expect(200).json() for version in ("", "/v1.24"))
    assert "VirtualSize" not in newest and "ContainerConfig" not in newest
    assert oldest["VirtualSize"] == oldest["Size"] and oldest["Container"] == "" and "Cmd" in oldest["ContainerConfig"]


def test_lists_have_the_form_of_the_client_s_version(daemon):
    data, untagged = archive([], {"x": b"untagged"})
    load(daemon, data).expect(200)
    containers.create(daemon)

    def row(version, image_id, query=""):
        rows = daemon.http.get(f"{version}/images/json{query}").expect(200).json()
        return next((row for row in rows if row["Id"] == image_id), None)

    busybox = inspect(daemon, "busybox")["Id"]
    assert [row(version, busybox)["Containers"] for version in ("", "/v1.51", "/v1.50")] == [1, 1, -1]
    assert row("", untagged)["Containers"] == 0
    nameless = [(row(version, untagged)["RepoTags"], row(version, untagged)["RepoDigests"]) for version in ("/v1.43", "/v1.42")]
    assert nameless[0] == ([], []) and nameless[1] == (["<none>:<none>"], ["<none>@<none>"])
    assert row("/v1.42", busybox)["RepoTags"] == ["busybox:latest"]
    assert row("/v1.40", untagged, "?filter=busybox") is None and row("/v1.40", busybox, "?filter=busybox")
    assert row("/v1.41", untagged, "?filter=busybox")
    # That archive does not tell when it was made.
    assert "Created" not in inspect(daemon, untagged)
    assert daemon.http.get(f"/v1.43/images/{untagged}/json").expect(200).json()["Created"] == "0001-01-01T00:00:00Z"


def test_a_platform_that_an_image_is_not_for(daemon):
    def asked(**platform):
        return urllib.parse.quote(json.dumps(platform))

    data, other = archive(["other:1"], {"x": b"other"})
    load(daemon, data).expect(200)
    fits, differs = asked(os="linux", architecture="amd64"), asked(os="linux", architecture="arm64", variant="v8")
    for path in ("/images/other:1/json?", "/images/other:1/history?", "/images/other:1/get?", "/images/get?names=other:1&"):
        daemon.http.get(f"{path}platform={fits}").expect(200)
        refused = daemon.http.get(f"{path}platform={differs}").expect(404).json()["message"]
        assert refused == ("image with reference other:1 was found but its platform (linux/amd64) does not match the "
                           "specified platform (linux/arm64/v8)")
        daemon.http.get(f"{path}platform={asked(os='linux')}").expect(400)
        daemon.http.get(f"/v1.47{path}platform={differs}").expect(200)  # before there was such a parameter
    assert "linux/arm64" in daemon.docker("image", "history", "--platform", "linux/arm64", "other:1", check=False).stderr
    daemon.http.delete(f"/images/other:1?platforms={differs}").expect(404)
    daemon.http.delete(f"/images/other:1?platforms={differs}&platforms={fits}").expect(200)
    refused = daemon.http.post(f"/images/load?platform={differs}", body=data).expect(404).json()["message"]
    assert refused == f"image {other} is for linux/amd64, not for linux/arm64/v8"
    assert "other:1" not in tags(daemon)
    daemon.http.post(f"/images/load?platform={fits}", body=data).expect(200)
    assert "other:1" in tags(daemon)


def test_search_says_why_it_is_not_there(daemon):
    assert "Docker Hub" in daemon.http.get("/images/search?term=x").expect(501).json()["message"]


def test_removing_many_images_of_shared_layers_leaves_the_bytes_of_the_rest(make_daemon):
    daemon = make_daemon()
    before = daemon.http.get("/system/df").expect(200).json()["LayersSize"]
    base, _ = archive(["base:1"], {"x": b"base" * 10_000})
    load(daemon, base).expect(200)
    for number in range(20):
        commit(daemon, "base:1" if number % 2 else "busybox", f"many:{number}", f"ENV%20N={number}")
    for number in range(20):
        daemon.http.delete(f"/images/many:{number}").expect(200)
    daemon.http.delete("/images/base:1").expect(200)
    assert daemon.http.get("/system/df").expect(200).json()["LayersSize"] == before
    assert len(os.listdir(f"{daemon.root}/layers")) == 2 and len(os.listdir(f"{daemon.root}/images/blobs/sha256")) == 3

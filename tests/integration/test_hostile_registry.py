"""Pulls from a registry that we write: what it sends is wrong, broken, endless or slow. And what clients share and leave."""

import concurrent.futures
import contextlib
import glob
import gzip
import itertools
import json
import os
import tarfile
import threading

import pytest

import oci
from hostile_registry import Gate, HostileRegistry, PIECE
from test_full_disk import small_disk  # noqa: F401 (a fixture)
from test_images import stored
from test_registry import blobs, credentials, leftovers, lines_of, load
from waiting import eventually


@pytest.fixture
def registry():
    made = HostileRegistry()
    yield made
    made.close()


@pytest.fixture
def other_registry():
    made = HostileRegistry()
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_daemon():
    from daemon import Daemon
    daemon = Daemon(config={"max-layer-bytes": 64 << 20})
    yield daemon
    daemon.close()


@pytest.fixture
def images(module_daemon):
    yield module_daemon
    module_daemon.remove_images(but="\0")
    assert not blobs(module_daemon) and not leftovers(module_daemon)
    assert os.listdir(os.path.join(module_daemon.root, "layers")) == ["work"]


def image_of(size=300_000, layers=1, **kwargs):
    """Layers of random bytes: compressed they stay as large."""
    return oci.OciImage([oci.tar({f"file{i}": os.urandom(size)}) for i in range(layers)], **kwargs)


def layer_digest(image, index=0):
    return image.document["layers"][index]["digest"]


def path_of(name):
    repository, tag = name.rsplit(":", 1)
    return f"/images/create?fromImage={repository}&tag={tag}"


def pull(daemon, name, headers=(), timeout=60):
    """The lines of a pull that has begun to answer; an error is its last line."""
    return lines_of(daemon.http.post(path_of(name), headers=dict(headers), timeout=timeout).expect(200))


def failure_of(daemon, name):
    line = pull(daemon, name)[-1]
    assert "errorDetail" in line, line
    assert line["error"] == line["errorDetail"]["message"]
    return line["error"]


# -- what is wrong is refused, and nothing of it stays (the fixture looks) --

def verification_failed(wanted, data):
    return f"filesystem layer verification failed for digest {wanted}: the content is {oci.digest(data)}"


@pytest.mark.parametrize("form", ["another layer", "a layer cut off", "no gzip", "no tar"])
def test_a_layer_of_another_digest(images, registry, form):
    """Whether it can be unpacked or not, and wherever that ends: what is said is what is wrong."""
    image = image_of()
    name = registry.add("x", "1", image)
    wanted = layer_digest(image)
    size = len(registry.blobs[wanted])
    data = {"another layer": image_of(size + 1000).layers[0][:size],
            "a layer cut off": registry.blobs[wanted][:size // 2].ljust(size, b"\0"),
            "no gzip": b"\x1f\x8b" + os.urandom(size - 2),
            "no tar": os.urandom(size)}[form]
    registry.blobs[wanted] = data
    assert failure_of(images, name) == verification_failed(wanted, data)


def test_a_layer_that_cannot_be_unpacked_is_downloaded_to_its_end(images, registry):
    image = image_of(4_000_000)  # its half is more than waits for the unpacker (BytePipe)
    name = registry.add("x", "1", image)
    wanted = layer_digest(image)
    data = registry.blobs[wanted] = os.urandom(len(registry.blobs[wanted]))
    gate = Gate(registry, image)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        failure = pool.submit(failure_of, images, name)
        assert gate.reached.wait(10)
        eventually(lambda: "unpack_beside" not in images.dump(), what="nobody who unpacks")
        assert "download_blob" in images.dump() and not failure.done()
        gate.opened.set()
        assert failure.result(30) == verification_failed(wanted, data)


def test_a_layer_whose_content_is_not_what_the_configuration_says(images, registry):
    image = image_of()
    config = json.loads(image.config)
    config["rootfs"]["diff_ids"] = [oci.digest(b"other")]
    image.document["config"] = image.blob(json.dumps(config).encode(), image.document["config"]["mediaType"])
    assert "digest mismatch, the uncompressed content is" in failure_of(images, registry.add("x", "1", image))


@pytest.mark.parametrize("changes, sentence", [
    ({"config": {"Env": "A=b"}}, "config.Env: expected a list of strings"),
    ({"config": {"WorkingDir": 7}}, "config.WorkingDir: expected a string"),
    ({"history": [{"created": 5}]}, "history[0].created: expected a string"),
    ({"rootfs": {"type": "layers", "diff_ids": {}}}, "diff_ids is no list"),
])
def test_a_configuration_of_other_types_is_refused_by_pull_and_load(images, registry, changes, sentence):
    image = image_of()
    config = json.dumps({**json.loads(image.config), **changes}).encode()
    image.document["config"] = image.blob(config, image.document["config"]["mediaType"])
    assert failure_of(images, registry.add("x", "1", image)) == f"image configuration: {sentence}"
    archive = oci.tar({"config.json": config, "layer.tar": gzip.decompress(image.layers[0]), "manifest.json": json.dumps(
        [{"Config": "config.json", "Layers": ["layer.tar"], "RepoTags": ["typed:1"]}]).encode()})
    answer = images.http.post("/images/load", body=archive).expect(400)
    assert answer.json()["message"] == f"image configuration: {sentence}"


def test_a_configuration_of_another_digest(images, registry):
    image = image_of()
    name = registry.add("x", "1", image)
    key = image.document["config"]["digest"]
    registry.blobs[key] = registry.blobs[key].replace(b"amd64", b"arm64")
    assert "digest mismatch" in failure_of(images, name)


def test_a_manifest_of_another_digest(images, registry):
    image = image_of()
    registry.add("x", "1", image)
    wanted = oci.digest(b"something else")
    registry.manifests["x", wanted] = (image.media_type, image.manifest)
    answer = images.http.post(f"/images/create?fromImage={registry.name}/x&tag={wanted}").expect(400, 404, 500)
    assert "manifest verification failed" in answer.json()["message"]


@pytest.mark.parametrize("length", ["short", "long"])
def test_a_length_that_is_not_the_manifests(images, registry, length):
    image = image_of()
    name = registry.add("x", "1", image)

    def behave(handler, data):
        data = data[:-10] if length == "short" else data + b"x" * 10
        handler.blob_head(data)
        handler.wfile.write(data)
    registry.on_blob[layer_digest(image)] = behave
    assert "wrong length" in failure_of(images, name)


def test_a_body_without_end(images, registry):
    image = image_of()
    name = registry.add("x", "1", image)

    def behave(handler, data):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while not registry.released.is_set():
                handler.wfile.write(b"%x\r\n" % PIECE + os.urandom(PIECE) + b"\r\n")
        except OSError:
            handler.close_connection = True
    registry.on_blob[layer_digest(image)] = behave
    size = len(image.layers[0])
    assert failure_of(images, name) == f"blob {layer_digest(image)}: wrong length: expected {size} bytes, got more"


def test_a_gzip_that_is_cut_off(images, registry):
    image = image_of(pack=lambda data: gzip.compress(data)[:-2000])
    assert "unexpected end of the compressed stream" in failure_of(images, registry.add("x", "1", image))


def test_a_bomb(images, registry):
    image = oci.OciImage([oci.tar({"zeros": bytes(200 << 20)})])
    assert len(image.layers[0]) < 2 << 20
    assert "is larger than 67108864 bytes" in failure_of(images, registry.add("x", "1", image))


@pytest.mark.parametrize("name", ["../escape", "a/../../escape"])
def test_names_that_lead_out(images, registry, name):
    error = failure_of(images, registry.add("x", "1", oci.OciImage([oci.tar({"../" + name: b"x"})])))
    assert "leads outside" in error


def test_redirects_in_a_circle(images, registry):
    image = image_of()
    name = registry.add("x", "1", image)
    registry.on_blob[layer_digest(image)] = lambda handler, _: handler.answer(307, b"", {"Location": handler.path})
    assert "stopped after 10 redirects" in failure_of(images, name)


def test_manifests_that_are_none(images, registry):
    for index, text in enumerate([b"[]", b"{", b'{"schemaVersion":1}', b'{"schemaVersion":2,"config":{},"layers":[]}',
                                  b'{"schemaVersion":2,"manifests":' + b"[" * 2000]):
        registry.add_manifest("x", str(index), "application/json", text)
        images.http.post(path_of(f"{registry.name}/x:{index}")).expect(400, 501)


# -- lists of tags --

def tags_answer(names, page):
    """A page of tags that leads to `page`."""
    def behave(handler):
        handler.answer(200, json.dumps({"name": "x", "tags": names}).encode(), {"Link": f'<{page()}>; rel="next"'})
    return behave


@pytest.mark.parametrize("pages, sentence", [
    (["/v2/x/tags/list"], "/v2/x/tags/list\": the list of tags leads back to this page"),
    (["/v2/x/tags/list?last=1", "/v2/x/tags/list?last=2"], "/v2/x/tags/list?last=1\": the list of tags leads back to this page"),
    (None, "/v2/x/tags/list?last=1000\": stopped after 1000 pages of tags"),
])
def test_a_list_of_tags_without_an_end(images, registry, pages, sentence):
    numbers = itertools.count(1)
    following = itertools.cycle(pages) if pages else (f"/v2/x/tags/list?last={number}" for number in numbers)
    registry.on_tags = tags_answer(["1"], lambda: next(following))
    message = images.http.post(f"/images/create?fromImage={registry.name}/x").expect(500).json()["message"]
    assert message == f'Get "http://{registry.name}{sentence}'


def test_a_list_of_tags_that_is_too_large(images, registry):
    numbers = itertools.count(1)
    registry.on_tags = tags_answer(["t" * 100] * 40_000, lambda: f"/v2/x/tags/list?last={next(numbers)}")
    answer = images.http.post(f"/images/create?fromImage={registry.name}/x")
    assert answer.status >= 400 and "the list of tags is larger than 8388608 bytes" in answer.json()["message"]


@pytest.mark.parametrize("tags, sentence", [
    (["1", "../x"], 'tags: invalid tag "../x"'),
    (["1", "a@" + oci.digest(b"")], f'tags: invalid tag "a@{oci.digest(b"")}"'),
    ([7], "tags: a tag is no text"),
    ("1", "tags: the tags are no list"),
])
def test_a_list_of_what_are_no_tags(images, registry, tags, sentence):
    registry.add("x", "1", image_of())
    registry.on_tags = lambda handler: handler.answer(200, json.dumps({"tags": tags}).encode())
    assert images.http.post(f"/images/create?fromImage={registry.name}/x").expect(400).json()["message"] == sentence
    assert images.http.get("/images/json").expect(200).json() == []


# -- what is here already --

def test_a_second_pull_asks_for_the_digest_alone(images, registry):
    name = registry.add("x", "1", image_of(layers=2))
    pull(images, name)
    registry.requests.clear()
    assert pull(images, name)[-1]["status"].startswith("Status: Image is up to date")
    assert [(method, path) for method, path, _ in registry.requests] == [("HEAD", "/v2/x/manifests/1")]


# -- what breaks is taken up again --

def test_a_broken_connection_goes_on_where_it_stood(images, registry):
    image = image_of(3_000_000)
    name = registry.add("x", "1", image)
    starts = []

    def behave(handler, data):
        start = handler.range_start()
        starts.append(start)
        handler.blob_head(data, start)
        if len(starts) < 4:
            handler.wfile.write(data[start:start + 600_000])
            return handler.hang_up()
        handler.wfile.write(data[start:])
    registry.on_blob[layer_digest(image)] = behave
    lines = pull(images, name)
    assert lines[-1]["status"].startswith("Status: Downloaded newer image")
    assert starts[0] == 0 and starts == sorted(set(starts)) and len(starts) == 4


def test_a_registry_that_knows_no_ranges(images, registry):
    image = image_of(2_000_000)
    name = registry.add("x", "1", image)
    calls = []

    def behave(handler, data):
        calls.append(handler.range_start())
        handler.blob_head(data)
        handler.wfile.write(data if len(calls) > 1 else data[:1_000_000])
        if len(calls) == 1:
            handler.hang_up()
    registry.on_blob[layer_digest(image)] = behave
    assert pull(images, name)[-1]["status"].startswith("Status: Downloaded")
    assert len(calls) == 2 and calls[1] > 0


def test_a_busy_registry_is_asked_again_and_not_for_ever(images, registry):
    image = image_of()
    name = registry.add("x", "1", image)
    calls = []

    def behave(handler, data):
        calls.append(1)
        if len(calls) < 3:
            return handler.answer(503, b"")
        handler.send_blob(data)
    registry.on_blob[layer_digest(image)] = behave
    assert pull(images, name)[-1]["status"].startswith("Status: Downloaded")
    registry.on_blob[layer_digest(image)] = lambda handler, _: handler.hang_up()
    images.http.delete(f"/images/{name}").expect(200)
    assert "Get" in failure_of(images, name)


# -- forms, platforms, redirects, tokens --

def test_docker_manifests(images, registry):
    image = image_of(layers=2, docker=True)
    name = registry.add("x", "1", image)
    pull(images, name)
    assert images.http.get(f"/images/{name}/json").expect(200).json()["Id"] == image.id


@pytest.mark.parametrize("media_type", [oci.OCI_INDEX, oci.DOCKER_LIST])
def test_an_index_is_chosen_from_by_platform(images, registry, media_type):
    here, there = image_of(), image_of(platform=("linux", "s390x"))
    name = registry.add_index("x", "1", {("linux", "amd64"): here, ("linux", "s390x"): there}, media_type)
    pull(images, name)
    assert images.http.get(f"/images/{name}/json").expect(200).json()["Id"] == here.id
    assert images.docker("pull", "--platform", "linux/s390x", name).returncode == 0
    assert images.http.get(f"/images/{name}/json").expect(200).json()["Architecture"] == "s390x"
    created = images.http.post("/containers/create", json={"Image": name}).expect(201).json()
    assert created["Warnings"] == ["The requested image's platform (linux/s390x) does not match the detected host platform (linux/amd64) and "
                                   "no specific platform was requested"]
    asked = images.http.post("/containers/create?platform=linux/s390x", json={"Image": name}).expect(201).json()
    assert asked["Warnings"] == []
    for container in (created, asked):
        images.http.delete(f"/containers/{container['Id']}").expect(204)
    refused = images.docker("pull", "--platform", "linux/mips", name, check=False)
    assert "no matching manifest for linux/mips in the manifest list entries" in refused.stderr


def test_a_redirect_to_another_host_carries_no_authorization(images, registry):
    elsewhere = HostileRegistry()
    try:
        image = image_of()
        registry.token = ("me", "secret")
        name = registry.add("x", "1", image)
        elsewhere.blobs.update(image.blobs)
        registry.on_blob[layer_digest(image)] = lambda handler, _: handler.answer(
            307, b"", {"Location": f"http://{elsewhere.name}{handler.path}"})
        pull(images, name, {"X-Registry-Auth": credentials("me", "secret")})
        assert elsewhere.requests and not any("Authorization" in headers for _, _, headers in elsewhere.requests)
        token = [path for _, path, _ in registry.requests if path.startswith("/token")]
        assert len(token) >= 1 and "scope=repository%3Ax%3Apull" in token[0] and "service=us" in token[0]
        answer = images.http.post(path_of(name), headers={"X-Registry-Auth": credentials("me", "wrong")})
        assert answer.status == 500 and "incorrect username or password" in answer.json()["message"]
    finally:
        elsewhere.close()


# -- clients --

def test_two_pulls_share_one_download_and_one_may_leave(images, registry):
    image = image_of(1_000_000)
    name = registry.add("x", "1", image)
    gate = Gate(registry, image)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = images.http.stream(path_of(name), method="POST")
        assert gate.reached.wait(10)
        second = pool.submit(pull, images, name)
        eventually(lambda: images.dump("SharedPulls::follow").count("SharedPulls::follow") >= 2, what="two who wait")
        first.close()
        eventually(lambda: images.dump("SharedPulls::follow").count("SharedPulls::follow") == 1, what="one who waits")
        gate.opened.set()
        lines = second.result(30)
    assert lines[-1]["status"].startswith("Status: Downloaded newer image")
    assert gate.starts == 1


def sharing_images(shared, under):
    """Two images with a layer of the same bytes: both upon nothing, or `under` a layer of each one's own."""
    made = []
    for number in b"12":
        own = oci.tar({f"own{number}": os.urandom(1000)})
        layers = [oci.tar({"shared": shared}), own]
        made.append(oci.OciImage(layers[::-1] if under else layers, pack=lambda data: gzip.compress(data, 1, mtime=0)))
    return made


def test_no_more_layers_are_downloaded_at_once_than_the_daemon_is_told(make_daemon, registry):
    daemon = make_daemon(config={"max-concurrent-downloads": 2})
    image = image_of(layers=6)
    name = registry.add("x", "1", image)
    lock, go, open_now, most = threading.Lock(), threading.Event(), [0], [0]

    def hold(handler, data):
        with lock:
            open_now[0] += 1
            most[0] = max(most[0], open_now[0])
        go.wait(30)
        handler.send_blob(data)
        with lock:
            open_now[0] -= 1

    for index in range(6):
        registry.on_blob[layer_digest(image, index)] = hold
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pulling = pool.submit(pull, daemon, name)
        eventually(lambda: open_now[0] == 2, what="two downloads")
        eventually(lambda: daemon.dump().count("[semacquire") >= 4, what="four layers that wait")
        go.set()
        assert "errorDetail" not in pulling.result(60)[-1]
    assert most[0] == 2


@pytest.mark.parametrize("place", ["below", "upon a layer of each one's own"])
def test_two_images_that_share_a_layer_download_it_once(images, registry, place):
    shared, upon = os.urandom(1_000_000), place != "below"
    both = sharing_images(shared, upon)
    names = [registry.add(f"x{number}", "1", image) for number, image in enumerate(both)]
    gate = Gate(registry, both[0], int(upon))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pulls = [pool.submit(pull, images, names[0])]
        assert gate.reached.wait(10)
        pulls.append(pool.submit(pull, images, names[1]))
        eventually(lambda: "LayerTurns::take" in images.dump(), what="a pull that waits for the other's layer")
        gate.opened.set()
        lines = [each.result(30) for each in pulls]
    assert gate.starts == 1
    row = layer_digest(both[0], int(upon))[7:19]
    states = [line["status"] for line in lines[1] if line.get("id") == row]
    assert states[-1] == "Pull complete" and "Downloading" not in states
    for name, image in zip(names, both):
        assert images.http.get(f"/images/{name}/json").expect(200).json()["Id"] == image.id
    files = [open(path, "rb").read() for path in glob.glob(os.path.join(images.root, "layers/*/diff/shared"))]
    assert files == [shared] * (2 if upon else 1)


def test_a_shared_layer_goes_on_in_the_other_pull_when_its_first_client_leaves(images, registry):
    both = sharing_images(os.urandom(1_000_000), False)
    names = [registry.add(f"x{number}", "1", image) for number, image in enumerate(both)]
    gate = Gate(registry, both[0])
    first = images.http.stream(path_of(names[0]), method="POST")
    assert gate.reached.wait(10)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        second = pool.submit(pull, images, names[1])
        eventually(lambda: "LayerTurns::take" in images.dump(), what="a pull that waits for the other's layer")
        first.close()
        eventually(lambda: gate.starts == 2, what="the other pull's own download")
        gate.opened.set()
        assert second.result(30)[-1]["status"].startswith("Status: Downloaded")
    assert [row["Id"] for row in images.http.get("/images/json").expect(200).json()] == [both[1].id]


# -- a registry that holds a layer back holds up nobody who has it from elsewhere --

@contextlib.contextmanager
def side_by_side(*gates):
    """Threads for pulls; a test that fails does not wait for its gates."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        try:
            yield pool
        finally:
            for gate in gates:
                gate.opened.set()


def assert_downloaded(pulling):
    lines = pulling.result(20)
    assert lines[-1].get("status", "").startswith("Status: Downloaded newer image"), lines[-1]
    return lines


def test_a_layer_comes_from_the_registry_that_gives_it(images, registry, other_registry):
    image = image_of(1_000_000)
    gate = Gate(registry, image)
    with side_by_side(gate) as pool:
        held = pool.submit(pull, images, registry.add("x", "1", image))
        assert gate.reached.wait(10)
        assert_downloaded(pool.submit(pull, images, other_registry.add("x", "1", image)))
        lines = assert_downloaded(held)  # it is here now: nobody waits for the rest
        assert gate.starts == 1 and not gate.opened.is_set()
    states = [line["status"] for line in lines if line.get("id") == layer_digest(image)[7:19]]
    assert states[-1] == "Pull complete" and "Download complete" not in states
    images.leak_check("download_blob", "fetch_layer", "unpack_beside")


def test_who_waits_for_a_held_layer_has_it_from_another_registry_too(images, registry, other_registry):
    both = sharing_images(os.urandom(1_000_000), False)
    gate = Gate(registry, both[0])
    with side_by_side(gate) as pool:
        pulls = [pool.submit(pull, images, registry.add("x0", "1", both[0]))]
        assert gate.reached.wait(10)
        pulls.append(pool.submit(pull, images, registry.add("x1", "1", both[1])))
        eventually(lambda: "LayerTurns::take" in images.dump(), what="a pull that waits for the other's layer")
        pulls.append(pool.submit(pull, images, other_registry.add("x", "1", both[0])))
        for pulling in pulls:
            assert_downloaded(pulling)
        assert gate.starts == 1 and not gate.opened.is_set()


def test_a_layer_from_another_registry_is_unpacked_upon_each_images_own(images, registry, other_registry):
    shared = os.urandom(1_000_000)
    both = sharing_images(shared, True)
    gate = Gate(registry, both[0], 1)
    with side_by_side(gate) as pool:
        names = registry.add("x", "1", both[0]), other_registry.add("x", "1", both[1])
        held = pool.submit(pull, images, names[0])
        assert gate.reached.wait(10)
        for pulling in (pool.submit(pull, images, names[1]), held):
            assert_downloaded(pulling)
        assert gate.starts == 1 and not gate.opened.is_set()
    for name, image in zip(names, both):
        assert images.http.get(f"/images/{name}/json").expect(200).json()["Id"] == image.id
    files = [open(path, "rb").read() for path in glob.glob(os.path.join(images.root, "layers/*/diff/shared"))]
    assert files == [shared] * 2


def test_held_layers_take_no_other_registrys_places(make_daemon, registry, other_registry):
    daemon = make_daemon(config={"max-concurrent-downloads": 2})
    image = image_of(1_000_000, layers=3)
    gates = [Gate(registry, image, layer) for layer in range(3)]
    with side_by_side(*gates) as pool:
        held = pool.submit(pull, daemon, registry.add("x", "1", image))
        eventually(lambda: sum(gate.starts for gate in gates) == 2, what="all the places that there are")
        eventually(lambda: "[semacquire" in daemon.dump(), what="a layer that waits for one")
        assert_downloaded(pool.submit(pull, daemon, other_registry.add("y", "1", image_of(layers=3))))
        assert not held.done() and sum(gate.starts for gate in gates) == 2
        for gate in gates:
            gate.opened.set()
        assert_downloaded(held)


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_the_last_clients_leaving_ends_the_download(images, registry, leave):
    image = image_of(1_000_000)
    name = registry.add("x", "1", image)
    gate = Gate(registry, image)
    descriptors = images.fd_count_at_rest()
    stream = (images.tcp if leave == "reset" else images.http).stream(path_of(name), method="POST")
    assert gate.reached.wait(10)
    eventually(lambda: leftovers(images), what="a download on its way")
    getattr(stream, leave)()
    eventually(lambda: not leftovers(images), what="nothing on its way")
    images.leak_check("pull_image", "download_blob", "create_image", "fetch_layer")
    assert not blobs(images)
    eventually(lambda: images.fd_count() <= descriptors, what="no more descriptors than before")
    # And the next pull finds all as if nothing had been.
    gate.opened.set()
    assert pull(images, name)[-1]["status"].startswith("Status: Downloaded newer image")


def test_a_slow_drip_is_no_burden_and_ends_with_its_client(images, registry):
    image = image_of(1_000_000)
    name = registry.add("x", "1", image)

    def behave(handler, data):
        handler.blob_head(data)
        try:
            for byte in data:
                if registry.released.wait(0.02):
                    break
                handler.wfile.write(bytes([byte]))
        except OSError:
            pass
        handler.close_connection = True
    registry.on_blob[layer_digest(image)] = behave
    stream = images.http.stream(path_of(name), method="POST")
    eventually(lambda: b"Pulling" in stream.read_some(), what="the pull's first lines")
    other = registry.add("y", "1", image_of())
    assert pull(images, other)[-1]["status"].startswith("Status: Downloaded")
    stream.close()
    eventually(lambda: not leftovers(images), what="nothing on its way")


def test_a_kill_in_the_middle_leaves_what_the_next_start_sweeps(make_daemon, registry):
    daemon = make_daemon(image=False)
    image = image_of(1_000_000, layers=2)
    name = registry.add("x", "1", image)
    gate = Gate(registry, image)
    stream = daemon.http.stream(path_of(name), method="POST")
    assert gate.reached.wait(10)
    eventually(lambda: len(blobs(daemon)) == 1, what="the other layer's blob")
    daemon.kill9()
    stream.close()
    daemon.start()
    assert not blobs(daemon) and not leftovers(daemon)
    gate.opened.set()
    assert pull(daemon, name)[-1]["status"].startswith("Status: Downloaded newer image")


# -- no room, and in the middle of unpacking --

def test_a_disk_that_is_full_in_the_middle_of_a_pull(small_disk, make_daemon, registry):  # noqa: F811
    daemon = make_daemon(image=False, start=False)
    daemon.root = str(small_disk)
    daemon.start()
    small = registry.add("small", "1", image_of(layers=2))
    pull(daemon, small)
    before = stored(daemon)
    for what in ("download", "unpacking"):
        # Half a layer and the whole of another that is smaller: more than the disk has, compressed or not.
        image = image_of(16 << 20, layers=2) if what == "download" else oci.OciImage([oci.tar({"zeros": bytes(40 << 20)})])
        assert "No space left on device" in failure_of(daemon, registry.add("large", "1", image))
        assert stored(daemon) == before and not leftovers(daemon)
    # What is here works on, and so does the next pull that has room.
    assert pull(daemon, small)[-1]["status"].startswith("Status: Image is up to date")
    assert pull(daemon, registry.add("next", "1", image_of()))[-1]["status"].startswith("Status: Downloaded")


def zeros_layer(gigabytes):
    """A compressed layer of one file of zeros, soon downloaded and long in being unpacked."""
    entry = tarfile.TarInfo("zeros")
    entry.size = gigabytes << 30
    piece = gzip.compress(bytes(64 << 20), 1)
    return gzip.compress(entry.tobuf()) + piece * (gigabytes * 16)


def test_a_client_that_leaves_while_a_layer_is_unpacked(make_daemon, registry):
    daemon = make_daemon(image=False)
    image = oci.OciImage([b""], pack=lambda _: zeros_layer(16))
    stream = daemon.http.stream(path_of(registry.add("x", "1", image)), method="POST")
    eventually(lambda: any("zeros" in path for path in leftovers(daemon)), what="a layer that is being unpacked")
    stream.close()
    daemon.leak_check("pull_image", "unpack_beside", "fetch_layer")
    assert not leftovers(daemon) and not blobs(daemon)


# -- pushes --

def loaded(daemon, registry, size=8_000_000):
    image = image_of(size)
    name = f"{registry.name}/pushed:1"
    load(daemon, image, name)
    return f"/images/{name.rpartition(':')[0]}/push?tag=1", image


def read_some_and_stop(registry, reached):
    """Takes the first bytes of an upload and no more."""
    def behave(handler):
        handler.rfile.read(1000)
        reached.set()
        registry.released.wait(60)
        handler.close_connection = True
    return behave


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_in_the_middle_of_a_push(images, registry, leave):
    reached = threading.Event()
    registry.on_upload = read_some_and_stop(registry, reached)
    path, image = loaded(images, registry)
    descriptors = images.fd_count_at_rest()
    stream = (images.tcp if leave == "reset" else images.http).stream(path, method="POST", headers={"X-Registry-Auth": credentials()})
    assert reached.wait(10)
    getattr(stream, leave)()
    images.leak_check("push_image", "push_blob", "push_images")
    eventually(lambda: images.fd_count() <= descriptors, what="no more descriptors than before")
    # Nothing holds the image any more.
    images.http.delete(f"/images/{image.id}?force=1").expect(200)
    assert not blobs(images)


def test_a_registry_that_takes_nothing_any_more(make_daemon, registry):
    daemon = make_daemon(image=False, config={"registry-stall-timeout": 1})
    registry.on_upload = read_some_and_stop(registry, threading.Event())
    path, _ = loaded(daemon, registry)
    lines = lines_of(daemon.http.post(path, headers={"X-Registry-Auth": credentials()}).expect(200))
    place = f"http://{registry.name}/v2/pushed/blobs/uploads/upload"
    assert lines[-1]["error"] == f'Patch "{place}": the registry takes nothing any more'
    assert sum(method == "PATCH" for method, _, _ in registry.requests) > 1  # it was tried again
    daemon.leak_check("push_image", "push_blob")


def test_progress_is_dockers(images, registry):
    image = image_of(1_000_000, layers=2)
    name = registry.add("x", "1", image)
    gate = Gate(registry, image)
    row = layer_digest(image)[7:19]
    with images.http.stream(path_of(name), method="POST") as stream:
        text = b""
        while not any(b'"Downloading"' in line and row.encode() in line for line in text.splitlines()):
            text += stream.read_some()
        gate.opened.set()
        lines = [json.loads(line) for line in (text + stream.read_all()).splitlines() if line]
    assert lines[0] == {"status": "Pulling from x", "id": "1"}
    states = [line for line in lines if line.get("id") == row]
    downloading = [line for line in states if line["status"] == "Downloading" and line["progressDetail"]]
    assert downloading and downloading[-1]["progressDetail"]["total"] == len(image.layers[0])
    assert downloading[-1]["progress"].startswith("[====")
    assert states[-1] == {"status": "Pull complete", "progressDetail": {}, "id": row}
    assert [line["status"] for line in lines[-2:]] == [f"Digest: {oci.digest(image.manifest)}",
                                                      f"Status: Downloaded newer image for {name}"]

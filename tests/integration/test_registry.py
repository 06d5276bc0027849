"""Pull, push and login with a real registry (Debian's docker-registry) and the real docker command; skopeo on the other
side. TLS with an authority of our own, client certificates, htpasswd, mirrors."""

import base64
import json
import os
import subprocess
import tempfile

import pytest

import oci
from test_images import archive
from registry import PASSWORD, USER, Registry, make_authority, make_certificate, run
from waiting import eventually

LAYERS = [{"etc/": b"", "etc/base": b"base" * 1000}, {"etc/top": b"top", "bin/": b"", "bin/sh": b"#!"}]
# A name that is not on loopback's list of trusted ones: quolld runs with a hosts file of its own.
HOST = "registry.test"


@pytest.fixture
def make_registry():
    made = []

    def make(**kwargs):
        made.append(Registry(**kwargs))
        return made[-1]
    yield make
    for registry in made:
        registry.close()


@pytest.fixture
def images(make_daemon):
    return make_daemon(image=False)


def bound_over(wrapper, source, target):
    """A wrapper, then a mount namespace in which `source` is at `target`."""
    return [*wrapper, "unshare", "-m", "sh", "-c", f'mount --bind {source} {target} && exec "$@"', "sh"]


@pytest.fixture
def hosts_wrapper(tmp_path):
    """quolld under a mount namespace in which HOST is 127.0.0.1."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {HOST}\n")
    return bound_over([], hosts, "/etc/hosts")


def fill(registry, tmp_path, name, image, *options):
    """Puts an image into the registry by skopeo."""
    layout = tmp_path / f"layout-{len(os.listdir(tmp_path))}"
    oci.write_layout(str(layout), image, "x")
    run("skopeo", "copy", "--dest-tls-verify=false", *options, f"oci:{layout}:x",
        f"docker://127.0.0.1:{registry.port}/{name}", timeout=60)


def sample(marker=b"", **kwargs):
    return oci.OciImage([oci.tar(LAYERS[0]), oci.tar({**LAYERS[1], "etc/marker": marker})], **kwargs)


def load(daemon, image, name):
    """Brings the image in under a name, with the manifest that it has."""
    with tempfile.TemporaryDirectory() as directory:
        layout = os.path.join(directory, "layout")
        oci.write_layout(layout, image, name)
        archive = os.path.join(directory, "tar")
        run("tar", "-C", layout, "-cf", archive, ".")
        daemon.load_image(archive)


def lines_of(answer):
    return [json.loads(line) for line in answer.text.splitlines() if line]


def credentials(user=USER, password=PASSWORD, **more):
    return base64.urlsafe_b64encode(json.dumps({"username": user, "password": password, **more}).encode()).decode()


def leftovers(daemon):
    return [os.path.join(folder, name) for part in ("images/work", "layers/work")
            for folder, folders, names in os.walk(os.path.join(daemon.root, part)) for name in folders + names]


def blobs(daemon):
    return set(os.listdir(os.path.join(daemon.root, "images/blobs/sha256")))


# -- pull --

def test_docker_pulls_by_tag_and_by_digest(images, make_registry, tmp_path):
    registry, image = make_registry(), sample()
    fill(registry, tmp_path, "team/app:1", image)
    name = f"{registry.name}/team/app"
    done = images.docker("pull", f"{name}:1")
    digest = oci.digest(image.manifest)
    assert "1: Pulling from team/app" in done.stdout
    assert f"Digest: {digest}" in done.stdout and f"Status: Downloaded newer image for {name}:1" in done.stdout
    inspected = images.http.get(f"/images/{name}:1/json").expect(200).json()
    assert inspected["Id"] == image.id and inspected["RepoDigests"] == [f"{name}@{digest}"]
    for layer in os.listdir(os.path.join(images.root, "layers")):
        if layer != "work":
            assert os.path.exists(os.path.join(images.root, "layers", layer, "diff/etc"))
    assert f"Status: Image is up to date for {name}:1" in images.docker("pull", f"{name}:1").stdout
    images.docker("rmi", f"{name}:1")
    assert not blobs(images)
    images.docker("pull", f"{name}@{digest}")
    assert images.http.get(f"/images/{name}@{digest}/json").expect(200).json()["Id"] == image.id
    eventually(lambda: not leftovers(images))  # the index is written once more when the layers are on the disk


def test_a_tag_that_has_moved_is_followed_and_shared_layers_are_kept(images, make_registry, tmp_path):
    registry, first, second = make_registry(), sample(b"1"), sample(b"2")
    fill(registry, tmp_path, "app:latest", first)
    images.docker("pull", f"{registry.name}/app")
    fill(registry, tmp_path, "app:latest", second, "--dest-precompute-digests")
    done = images.docker("pull", f"{registry.name}/app")
    assert "Already exists" in done.stdout and done.stdout.count("Pull complete") == 1
    assert images.http.get(f"/images/{registry.name}/app:latest/json").expect(200).json()["Id"] == second.id
    assert images.http.get(f"/images/{first.id}/json").expect(200).json()["RepoTags"] == []


@pytest.mark.parametrize("form", ["zstd", "plain"])
def test_every_form_of_image(images, make_registry, tmp_path, form):
    zstd = lambda data: subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout
    image = sample(pack=zstd if form == "zstd" else lambda data: data)
    for layer in image.document["layers"]:
        layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar" + ("+zstd" if form == "zstd" else "")
    registry = make_registry()
    fill(registry, tmp_path, "app:1", image)
    images.docker("pull", f"{registry.name}/app:1")
    assert images.http.get(f"/images/{registry.name}/app:1/json").expect(200).json()["Id"] == image.id


def test_what_is_not_there_is_said_as_docker_says_it(images, make_registry):
    registry = make_registry()
    done = images.docker("pull", f"{registry.name}/no/such:1", check=False)
    assert done.returncode == 1
    assert f"manifest for {registry.name}/no/such:1 not found: manifest unknown: manifest unknown" in done.stderr
    refused = images.http.post("/images/create?fromImage=127.0.0.1:1/x&tag=1").expect(500).json()["message"]
    assert refused.endswith("connection refused"), refused
    images.http.post("/images/create?fromImage=a/UPPER&tag=1").expect(400)
    images.http.post("/images/create").expect(400)
    images.http.post(f"/images/create?fromImage={registry.name}/x&tag=1", headers={"X-Registry-Auth": "!"}).expect(400)


def test_all_tags_of_a_repository(images, make_registry, tmp_path):
    registry = make_registry()
    for tag in ("1", "2"):
        fill(registry, tmp_path, f"app:{tag}", sample(tag.encode()))
    images.docker("pull", "-a", f"{registry.name}/app")
    tags = [tag for row in images.http.get("/images/json").expect(200).json() for tag in row["RepoTags"]]
    assert sorted(tags) == [f"{registry.name}/app:1", f"{registry.name}/app:2"]


# -- push --

def test_push_and_what_another_tool_reads_of_it(images, make_registry, tmp_path):
    second, image = make_registry(), sample()
    load(images, image, f"{second.name}/other/app:2")
    done = images.docker("push", f"{second.name}/other/app:2")
    digest = oci.digest(image.manifest)
    assert f"The push refers to repository [{second.name}/other/app]" in done.stdout
    assert done.stdout.count("Pushed") == 2 and f"2: digest: {digest} size: {len(image.manifest)}" in done.stdout
    seen = json.loads(run("skopeo", "inspect", "--tls-verify=false", f"docker://{second.name}/other/app:2").stdout)
    assert seen["Digest"] == digest
    assert f"{second.name}/other/app@{digest}" in images.http.get(f"/images/{image.id}/json").expect(200).json()["RepoDigests"]
    again = images.docker("push", f"{second.name}/other/app:2")
    assert again.stdout.count("Layer already exists") == 2
    # Another repository of the same registry: nothing is sent.
    load(images, image, f"{second.name}/mounted:1")
    assert images.docker("push", f"{second.name}/mounted:1").stdout.count("Mounted from other/app") == 2
    run("skopeo", "copy", "--src-tls-verify=false", f"docker://{second.name}/mounted:1", f"dir:{tmp_path}/out")


def test_push_of_an_archive_without_a_manifest(images, make_registry):
    registry = make_registry()
    data, image_id = archive([f"{registry.name}/app:1"], {"etc/x": b"x"})
    images.http.post("/images/load?quiet=1", body=data).expect(200)
    images.docker("push", f"{registry.name}/app:1")
    run("skopeo", "inspect", "--tls-verify=false", f"docker://{registry.name}/app:1")
    missing = images.docker("push", f"{registry.name}/nothing:1", check=False)
    assert missing.returncode == 1
    assert f"An image does not exist locally with the tag: {registry.name}/nothing" in missing.stderr


def test_quoll_pulls_and_pushes(images, make_registry, tmp_path):
    registry, image = make_registry(), sample()
    fill(registry, tmp_path, "app:latest", image)
    lines = images.quoll("pull", f"{registry.name}/app").stdout.splitlines()
    assert lines[0] == "latest: Pulling from app"
    assert sum(line.endswith(": Pull complete") for line in lines) == 2
    assert lines[-1] == f"Status: Downloaded newer image for {registry.name}/app:latest"
    assert sum("Layer already exists" in line for line in images.quoll("push", f"{registry.name}/app").stdout.splitlines()) == 2
    refused = images.quoll("pull", f"{registry.name}/nothing", check=False)
    assert refused.returncode == 1 and "manifest unknown" in refused.stderr


# -- who we are --

def test_login_and_a_registry_that_asks_for_it(images, make_registry, tmp_path):
    registry = make_registry(auth=True)
    fill(registry, tmp_path, "app:1", sample(), f"--dest-creds={USER}:{PASSWORD}")
    refused = images.docker("pull", f"{registry.name}/app:1", check=False)
    assert refused.returncode == 1 and "no basic auth credentials" in refused.stderr
    wrong = images.docker("login", "-u", USER, "--password-stdin", registry.name, input="wrong", check=False)
    assert wrong.returncode == 1 and "unauthorized" in wrong.stderr
    done = images.docker("login", "-u", USER, "--password-stdin", registry.name, input=PASSWORD)
    assert "Login Succeeded" in done.stdout
    images.docker("pull", f"{registry.name}/app:1")
    load(images, sample(b"2"), f"{registry.name}/app:2")
    images.docker("push", f"{registry.name}/app:2")


def test_quoll_logs_in_where_docker_finds_it_and_the_other_way_round(images, make_registry, tmp_path):
    registry = make_registry(auth=True)
    fill(registry, tmp_path, "app:1", sample(), f"--dest-creds={USER}:{PASSWORD}")
    name = f"{registry.name}/app:1"
    kept = os.path.join(images.docker_env()["DOCKER_CONFIG"], "config.json")
    refused = images.quoll("pull", name, check=False)
    assert refused.returncode == 1 and "no basic auth credentials" in refused.stderr
    wrong = images.quoll("login", "-u", USER, "--password-stdin", registry.name, input="wrong", check=False)
    assert wrong.returncode == 1 and "unauthorized" in wrong.stderr and not os.path.exists(kept)
    assert images.quoll("login", "-u", USER, "--password-stdin", registry.name, input=PASSWORD).stdout == "Login Succeeded\n"
    assert json.load(open(kept))["auths"] == {registry.name: {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}}
    images.quoll("pull", name)
    images.docker("rmi", name)
    images.docker("pull", name)  # with what quoll has written
    images.quoll("push", name)
    images.quoll("logout", registry.name)
    assert images.quoll("push", name, check=False).returncode == 1
    images.docker("login", "-u", USER, "--password-stdin", registry.name, input=PASSWORD)
    images.quoll("push", name)  # with what docker has written


def test_distribution(images, make_registry, tmp_path):
    registry, image = make_registry(auth=True), sample()
    fill(registry, tmp_path, "app:1", image, f"--dest-creds={USER}:{PASSWORD}")
    path = f"/distribution/{registry.name}/app:1/json"
    facts = images.http.get(path, headers={"X-Registry-Auth": credentials()}).expect(200).json()
    assert facts == {"Descriptor": {"mediaType": image.media_type, "digest": oci.digest(image.manifest),
                                    "size": len(image.manifest)},
                     "Platforms": [{"architecture": "amd64", "os": "linux"}]}
    images.http.get(path).expect(401)


# -- TLS --

def test_tls_with_an_authority_of_our_own_and_a_client_certificate(make_daemon, make_registry, tmp_path, hosts_wrapper):
    base, certs = str(tmp_path), tmp_path / "certs.d"
    authority = make_authority(base)
    server = make_certificate(base, authority, "server", f"DNS:{HOST}")
    registry = make_registry(tls=server, client_ca=authority[0], host=HOST)
    client = make_certificate(base, authority, "client", "DNS:client")
    image = sample()
    clients = tmp_path / "skopeo"
    clients.mkdir()
    for path, name in ((client[0], "client.cert"), (client[1], "client.key")):
        (clients / name).write_bytes(open(path, "rb").read())
    fill(registry, tmp_path, "app:1", image, f"--dest-cert-dir={clients}")
    daemon = make_daemon(image=False, arguments=["--registry-certs-dir", str(certs)], wrapper=hosts_wrapper)
    name = f"{registry.name}/app:1"

    def pull(check=False):
        return daemon.docker("pull", name, check=check)
    assert "x509: certificate signed by unknown authority" in pull().stderr
    directory = certs / registry.name
    directory.mkdir(parents=True)
    (directory / "ca.crt").write_bytes(open(authority[0], "rb").read())
    assert pull().returncode == 1  # the registry wants a certificate of ours
    (directory / "client.cert").write_bytes(open(client[0], "rb").read())
    (directory / "client.key").write_bytes(open(client[1], "rb").read())
    pull(check=True)
    assert daemon.http.get(f"/images/{name}/json").expect(200).json()["Id"] == image.id


@pytest.mark.parametrize("place", ["SSL_CERT_FILE", "SSL_CERT_DIR", "/etc/ssl/certs"])
def test_tls_with_an_authority_among_the_system_s(make_daemon, make_registry, tmp_path, hosts_wrapper, place):
    authority = make_authority(str(tmp_path))
    registry = make_registry(tls=make_certificate(str(tmp_path), authority, "server", f"DNS:{HOST}"), host=HOST)
    image = sample()
    fill(registry, tmp_path, "app:1", image)
    roots = tmp_path / "roots"
    roots.mkdir()
    (roots / "ca.pem").write_bytes(open(authority[0], "rb").read())
    run("openssl", "rehash", str(roots))
    name = f"{registry.name}/app:1"
    refused = make_daemon(image=False, wrapper=hosts_wrapper).docker("pull", name, check=False)
    assert refused.returncode == 1
    assert f"https://{registry.name}/v2/" in refused.stderr and "x509: certificate signed by unknown authority" in refused.stderr
    if place.startswith("/"):
        bare = ["env", "-u", "SSL_CERT_FILE", "-u", "SSL_CERT_DIR"]
        trusting = make_daemon(image=False, wrapper=[*bound_over(hosts_wrapper, roots, place), *bare])
    else:
        trusting = make_daemon(image=False, wrapper=hosts_wrapper, env={place: str(roots / "ca.pem" if place.endswith("FILE") else roots)})
    trusting.docker("pull", name)
    assert trusting.http.get(f"/images/{name}/json").expect(200).json()["Id"] == image.id


def test_tls_for_another_name_and_insecure_registries(make_daemon, make_registry, tmp_path, hosts_wrapper):
    base = str(tmp_path)
    authority = make_authority(base)
    registry = make_registry(tls=make_certificate(base, authority, "server", "DNS:elsewhere.test"), host=HOST)
    fill(registry, tmp_path, "app:1", sample())
    certs = tmp_path / "certs.d" / registry.name
    certs.mkdir(parents=True)
    (certs / "ca.crt").write_bytes(open(authority[0], "rb").read())
    strict = make_daemon(image=False, arguments=["--registry-certs-dir", str(tmp_path / "certs.d")], wrapper=hosts_wrapper)
    refused = strict.docker("pull", f"{registry.name}/app:1", check=False)
    assert f"x509: certificate is not valid for {HOST}" in refused.stderr
    loose = make_daemon(image=False, config={"insecure-registries": [registry.name]}, wrapper=hosts_wrapper)
    loose.docker("pull", f"{registry.name}/app:1")
    assert loose.http.get("/info").expect(200).json()["RegistryConfig"]["IndexConfigs"][registry.name]["Secure"] is False


def test_a_mirror_serves_docker_hub(make_daemon, make_registry, tmp_path):
    registry, image = make_registry(), sample()
    fill(registry, tmp_path, "library/thing:1", image)
    daemon = make_daemon(image=False, config={"registry-mirrors": [f"http://{registry.name}"]})
    done = daemon.docker("pull", "thing:1")
    assert "1: Pulling from library/thing" in done.stdout and "docker.io/library/thing:1" in done.stdout
    assert daemon.http.get("/images/thing:1/json").expect(200).json()["Id"] == image.id

"""Registries behind a proxy that the daemon's environment names: the daemon itself cannot find their names."""

import base64
import contextlib

import pytest

import oci
from http_proxy import HttpProxy
from registry import make_authority, make_certificate
from test_registry import HOST, credentials, fill, make_registry, sample  # noqa: F401 (make_registry is a fixture)


@pytest.fixture
def make_proxy():
    with contextlib.ExitStack() as stack:
        yield lambda **kwargs: stack.enter_context(contextlib.closing(HttpProxy(**kwargs)))


def environment(proxy, no_proxy="", user=""):
    return {"HTTP_PROXY": f"http://{user}{proxy.address}", "HTTPS_PROXY": f"{user}{proxy.address}", "NO_PROXY": no_proxy}


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_https_goes_through_a_tunnel(make_daemon, make_registry, make_proxy, tmp_path):  # noqa: F811
    authority = make_authority(str(tmp_path))
    registry = make_registry(tls=make_certificate(str(tmp_path), authority, "server", f"DNS:{HOST}"), host=HOST)
    image = sample()
    fill(registry, tmp_path, "app:1", image)
    certs = tmp_path / "certs.d" / registry.name
    certs.mkdir(parents=True)
    (certs / "ca.crt").write_bytes(open(authority[0], "rb").read())
    proxy = make_proxy(credentials=("me", "p@ss"))
    daemon = make_daemon(image=False, arguments=["--registry-certs-dir", str(tmp_path / "certs.d")],
                         env=environment(proxy, user="me:p%40ss@"))
    daemon.docker("pull", f"{registry.name}/app:1")
    assert daemon.http.get(f"/images/{registry.name}/app:1/json").expect(200).json()["Id"] == image.id
    assert proxy.requests and set(proxy.requests) == {("CONNECT", registry.name, basic("me", "p@ss"))}
    info = daemon.http.get("/info").expect(200).json()
    assert info["HttpProxy"] == f"http://me:xxxxx@{proxy.address}" and info["HttpsProxy"] == f"me:xxxxx@{proxy.address}"


def test_plain_http_is_given_to_the_proxy_whole(make_daemon, make_registry, make_proxy, tmp_path):  # noqa: F811
    registry, proxy = make_registry(host=HOST), make_proxy()
    fill(registry, tmp_path, "app:1", sample())
    daemon = make_daemon(image=False, config={"insecure-registries": [registry.name]}, env=environment(proxy))
    name = f"{registry.name}/app:1"
    daemon.docker("pull", name)
    daemon.docker("tag", name, f"{registry.name}/again:1")
    daemon.docker("push", f"{registry.name}/again:1")
    asked = {(method, target) for method, target, _ in proxy.requests if method != "CONNECT"}
    assert ("GET", f"http://{registry.name}/v2/app/manifests/1") in asked
    assert ("PUT", f"http://{registry.name}/v2/again/manifests/1") in asked


def test_who_is_excepted_is_reached_without(make_daemon, make_registry, make_proxy, tmp_path):  # noqa: F811
    registry, proxy = make_registry(host=HOST), make_proxy()
    loopback = make_registry()
    fill(loopback, tmp_path, "app:1", oci.OciImage([oci.tar({"x": b"x"})]))
    daemon = make_daemon(image=False, config={"insecure-registries": [registry.name]}, env=environment(proxy, "other,.test"))
    refused = daemon.docker("pull", f"{registry.name}/app:1", check=False)
    assert refused.returncode == 1 and f"look up {HOST}" in refused.stderr
    daemon.docker("pull", f"{loopback.name}/app:1")
    assert proxy.requests == []


def test_what_is_wrong_with_the_proxy_is_said(make_daemon, make_proxy):
    proxy = make_proxy(credentials=("me", "secret"))
    daemon = make_daemon(image=False, env=environment(proxy))
    refused = daemon.docker("pull", "registry.test/app:1", check=False)
    assert f"proxy {proxy.address}: 407 Proxy Authentication Required" in refused.stderr
    proxy.close()
    gone = daemon.docker("pull", "registry.test/app:1", check=False)
    assert f"proxy {proxy.address}: connect to {proxy.address}: Connection refused" in gone.stderr
    other = make_daemon(image=False, env={"HTTPS_PROXY": "socks5://me:secret@127.0.0.1:1"})
    unknown = other.http.get("/distribution/registry.test/app:1/json", headers={"X-Registry-Auth": credentials()}).expect(400)
    assert unknown.json()["message"] == "proxy socks5://me:xxxxx@127.0.0.1:1 is not supported: only http:// is"

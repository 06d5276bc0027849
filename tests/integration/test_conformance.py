"""Every route of the Docker Engine API's definition: its answer is as the definition has it, or it is 501 and says so.

All other tests' JSON answers are held against the definition too (http_client.py). What is here makes sure that no route
is left out, and that the fields which old clients know from the examples of version 1.24 are still there.
"""

import pytest

import api_definition
from containers import start

pytestmark = pytest.mark.usefixtures("definition")

# What the daemon does not serve, by the folder of its path: swarm and plugins are out of scope (docs/SCOPE.md).
OUT_OF_SCOPE = ("/plugins", "/nodes", "/swarm", "/services", "/tasks", "/secrets", "/configs", "/session")


@pytest.fixture(scope="session")
def definition():
    found = api_definition.definition()
    if found is None:
        # Not a skip: there is nothing that this host could check, and the line says so.
        print("no definition of the API lies beside this checkout: nothing was checked")
    return found


def test_the_check_itself_refuses_what_is_wrong(definition):
    if definition is None:
        return
    good = {"StatusCode": 0}
    assert definition.problems("POST", "/containers/x/wait", 200, good) == []
    for bad in ({}, {"StatusCode": "0"}, {"StatusCode": 0, "Colour": "red"}, []):
        assert definition.problems("POST", "/containers/x/wait", 200, bad), bad
    assert definition.problems("GET", "/containers/json", 200, [{"Id": 3}])
    assert definition.problems("GET", "/containers/x/json", 404, {"error": "no"})


def test_no_route_of_the_definition_is_unknown(daemon, definition):
    """Each answers for something that is not there, or by 501: never "page not found", as an unknown path would get."""
    if definition is None:
        return
    for method, pattern in sorted(definition.routes):
        if pattern.startswith(OUT_OF_SCOPE) or pattern in ("/events", "/images/load", "/build"):
            continue
        path = pattern.replace("{id}", "no-such-thing").replace("{name}", "no-such-thing")
        answer = daemon.http.request(method, path, body=b"{}" if method in ("POST", "PUT") else None)
        assert b"page not found" not in answer.body, f"{method} {pattern} is not served"
        if answer.status >= 400:
            assert method == "HEAD" or answer.json()["message"], f"{method} {pattern}: {answer}"


# Fields of 1.24's examples that are names of the example's own (labels, networks, options), not of the API.
OWN_NAMES = ("Labels", "Networks", "Options", "Attributes", "Volumes", "networks", "Status", "stats", "Containers", "ExposedPorts",
             "Ports", "Devices", "Mirrors", "IndexConfigs", "Config.Labels", "PortBindings", "Sysctls", "StorageOpt", "Data")
# What its engines left out themselves where it did not apply: a driver's own status, a plugin's, an old storage's.
OPTIONAL = {
    ("GET", "/info"): ["SystemStatus"],
    ("GET", "/networks"): ["[].IPAM.Config", "[].IPAM.Options"],
    ("GET", "/networks/{id}"): ["IPAM.Config", "IPAM.Options"],
    ("GET", "/volumes/{id}"): ["Status"], ("POST", "/volumes/create"): ["Status"],
    ("GET", "/images/json"): ["[].ParentId"],
}


def missing_fields(example, answer, path=""):
    """The fields of an example that an answer has not; of lists the first elements are compared."""
    if isinstance(example, list) and isinstance(answer, list) and example and answer:
        return missing_fields(example[0], answer[0], path + "[].")
    if not isinstance(example, dict) or not isinstance(answer, dict) or path.rstrip(".").rpartition(".")[2] in OWN_NAMES:
        return []
    return [path + name for name in example if name not in answer] + [
        gap for name in example if name in answer for gap in missing_fields(example[name], answer[name], f"{path}{name}.")]


@pytest.fixture
def old_answers(daemon):
    """{(method, pattern of 1.24): the answer of today} for one container with a volume, an exec and a history."""
    http = daemon.http
    answers = {}

    def ask(method, pattern, path=None, **kwargs):
        answer = http.request(method, "/v1.24" + (path or pattern), **kwargs)
        answers[method, pattern] = answer.expect(200, 201).json()
        return answers[method, pattern]

    container = ask("POST", "/containers/create", json={
        "Image": "busybox", "Cmd": ["sleep", "1000"], "Labels": {"a": "b"}, "HostConfig": {"Binds": ["data:/data"]}})["Id"]
    start(daemon, container)
    path = f"/containers/{container}"
    made = ask("POST", "/containers/{id}/exec", path + "/exec", json={"Cmd": ["true"], "AttachStdout": True, "User": "root"})["Id"]
    http.post(f"/exec/{made}/start", json={"Detach": True}).expect(200)
    ask("GET", "/exec/{id}/json", f"/exec/{made}/json")
    ask("GET", "/containers/json", "/containers/json?size=1")
    ask("GET", "/containers/{id}/json", path + "/json")
    ask("GET", "/containers/{id}/top", path + "/top")
    ask("GET", "/containers/{id}/stats", path + "/stats?stream=0")
    ask("GET", "/containers/{id}/changes", path + "/changes")
    ask("POST", "/containers/{id}/update", path + "/update", json={"PidsLimit": 100})
    ask("GET", "/images/json")
    ask("GET", "/images/{id}/json", "/images/busybox/json")
    ask("GET", "/images/{id}/history", "/images/busybox/history")
    ask("POST", "/commit", f"/commit?container={container}&repo=made")
    ask("DELETE", "/images/{id}", "/images/made")
    ask("POST", "/volumes/create", json={"Name": "more"})
    ask("GET", "/volumes")
    ask("GET", "/volumes/{id}", "/volumes/more")
    ask("POST", "/networks/create", json={"Name": "made-net"})
    ask("GET", "/networks/{id}", "/networks/made-net")
    ask("GET", "/networks")
    http.delete("/networks/made-net").expect(204)
    ask("GET", "/info")
    ask("GET", "/version")
    http.post(path + "/kill").expect(204)
    ask("POST", "/containers/{id}/wait", path + "/wait")
    yield answers
    daemon.remove_containers()
    for name in ("data", "more"):
        http.delete(f"/volumes/{name}").expect(204)


def test_the_fields_that_old_clients_know_are_there(old_answers):
    examples = api_definition.examples()
    if examples is None:
        return
    gaps = {}
    for route, answer in old_answers.items():
        known = OPTIONAL.get(route, [])
        found = [gap for example in examples.get(route, []) for gap in missing_fields(example, answer)]
        if left := sorted(set(found) - set(known)):
            gaps[route] = left
    assert gaps == {}, "\n".join(f"{route}: {names}" for route, names in gaps.items())

"""Every route of the Docker Engine API's definition: its answer is as the definition has it, or it is 501 and says so.

All other tests' JSON answers are held against the definition too (http_client.py). What is here makes sure that no route
is left out, and that the fields which old clients know from the examples of version 1.24 are still there.
"""

import pytest

import api_definition

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

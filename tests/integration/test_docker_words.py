"""What the docker command says where something is wrong: dockerd's own words, and its exit statuses."""

import os

import pytest

import containers
from containers import create, inspect, run

CPUS = os.cpu_count()

# Options of docker run, and what dockerd answers.
REFUSED = [
    (["--memory", "1m"], "Minimum memory limit allowed is 6MB"),
    (["--memory-swap", "10m"], "You should always set the Memory limit when using Memoryswap limit, see usage"),
    (["-m", "20m", "--memory-swap", "10m"], "Minimum memoryswap limit should be larger than memory limit, see usage"),
    (["--cpus", "1000"], f"Range of CPUs is from 0.01 to {CPUS}.00, as there are only {CPUS} CPUs available"),
    (["--cpu-period", "10"], "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"),
    (["--cpu-quota", "10"], "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
    (["--cpuset-cpus", "a-b"], "Invalid value a-b for cpuset cpus: invalid format: a-b"),
    (["--blkio-weight", "1"], "Range of blkio weight is from 10 to 1000"),
    (["--oom-score-adj", "2000"], "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
    (["-v", "rel/path:/x"], 'create rel/path: "rel/path" includes invalid characters for a local volume name, only '
                            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'),
    (["-v", "/tmp:rel"], "invalid volume specification: '/tmp:rel': invalid mount config for type \"bind\": invalid mount path: "
                         "'rel' mount path must be absolute"),
    (["-v", "/tmp:/x:foo"], "invalid mode: foo"),
    (["-v", "/tmp:/x", "-v", "/etc:/x"], "Duplicate mount point: /x"),
    (["--mount", "type=bind,dst=/x"], 'invalid mount config for type "bind": field Source must not be empty'),
    (["--mount", "type=foo,dst=/x"], 'invalid mount config for type "foo": mount type unknown'),
    (["--mount", "type=bind,src=/no/such,dst=/x"], 'invalid mount config for type "bind": bind source path does not exist: /no/such'),
    (["--tmpfs", "/x:foo"], 'invalid tmpfs option "foo"'),
    (["--cap-add", "FOO"], 'invalid CapAdd: unknown capability: "CAP_FOO"'),
    (["--security-opt", "foo=bar"], 'invalid --security-opt 2: "foo=bar"'),
    (["--device", "/no/such"], 'error gathering device information while adding custom device "/no/such": no such file or directory'),
    (["--device", "/etc"], 'error gathering device information while adding custom device "/etc": not a device node'),
    (["--runtime", "foo"], "unknown or invalid runtime name: foo"),
    (["--log-driver", "foo"], "logger: no log driver named 'foo' is registered"),
    (["--log-opt", "foo=1"], "unknown log opt 'foo' for json-file log driver"),
    (["--ipc", "foo"], "invalid IPC mode: foo"),
    (["--stop-signal", "FOO"], "invalid signal: FOO"),
    (["-w", "rel"], "the working directory 'rel' is invalid, it needs to be an absolute path"),
    (["-w", "/etc/passwd"], "Cannot mkdir: /etc/passwd is not a directory"),
    # Not "not found", after which the docker command would pull the image that is there.
    (["--network", "container:nobody"], "No such container: nobody"),
    (["--link", "nobody"], "could not get container for nobody: No such container: nobody"),
    (["--volumes-from", "nobody"], "No such container: nobody"),
    (["--volumes-from", "x:foo"], "invalid mode: foo"),
]


@pytest.mark.parametrize("options, words", REFUSED)
def test_a_refused_option_is_told_in_dockerds_words(daemon, options, words):
    done = daemon.docker("run", "--rm", *options, "busybox", "true", check=False)
    assert done.stderr.splitlines()[0] == f"docker: Error response from daemon: {words}"
    # The docker command itself takes these words for those of a program that is not there.
    assert done.returncode == (127 if "no such file or directory" in words else 125)
    assert daemon.container_ids() == []


def test_cpus_and_memory_nodes_that_are_not_there_are_named(daemon):
    def words(*arguments):
        return daemon.docker(*arguments, check=False).stderr.splitlines()[0]
    refused = words("run", "--cpuset-cpus", "0,4000", "busybox", "true")
    assert refused.startswith("docker: Error response from daemon: Requested CPUs are not available - requested 0,4000, available: 0")
    assert "Requested memory nodes are not available - requested 99, " in words("run", "--cpuset-mems", "99", "busybox", "true")
    container = create(daemon)
    assert words("update", "--cpuset-cpus", "4000", container).startswith("Error response from daemon: Requested CPUs are not")
    assert words("update", "--cpus", "1000", container).startswith("Error response from daemon: Range of CPUs is from 0.01 to ")
    assert inspect(daemon, container)["HostConfig"]["NanoCpus"] == 0
    assert words("update", "--restart", "foo", container) == (
        "Error response from daemon: invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or "
        "'unless-stopped'")


def test_docker_kill_names_the_container_as_it_was_named(daemon):
    container = create(daemon, name="idle")
    for arguments, words in [(["idle"], f"idle: container {container} is not running"), (["nobody"], "nobody: No such container: nobody"),
                             (["-s", "FOO", "idle"], "idle: invalid signal: FOO")]:
        done = daemon.docker("kill", *arguments, check=False)
        assert (done.returncode, done.stderr) == (1, f"Error response from daemon: cannot kill container: {words}\n")


def test_an_exec_of_a_user_that_is_not_there(daemon):
    container = run(daemon, containers.SILENT)
    done = daemon.docker("exec", "-u", "nobody-of-this-name", container, "id", check=False)
    assert done.stdout == "unable to find user nobody-of-this-name: no matching entries in passwd file\n"
    assert done.returncode == 126


def test_a_directory_of_devices(daemon):
    os.makedirs("/dev/quoll-test/below", exist_ok=True)
    nodes = [("/dev/quoll-test/zero", os.makedev(1, 5)), ("/dev/quoll-test/below/null", os.makedev(1, 3))]
    try:
        for path, number in nodes:
            os.mknod(path, 0o20666, number)
        container = containers.finished(daemon, "stat -c '%n %t:%T' /dev/mine/zero /dev/mine/below/null; head -c 3 /dev/mine/zero | wc -c",
                                        "--device", "/dev/quoll-test:/dev/mine")
        assert containers.lines(daemon, container) == ["/dev/mine/zero 1:5", "/dev/mine/below/null 1:3", "3"]
    finally:
        for path, _ in nodes:
            if os.path.exists(path):
                os.unlink(path)
        os.removedirs("/dev/quoll-test/below")


def test_the_platform_that_is_asked_for(daemon):
    def made(platform):
        return daemon.http.post(f"/containers/create?platform={platform}", json={"Image": "busybox"})
    image = daemon.http.get("/images/busybox/json").expect(200).json()
    own = f"{image['Os']}/{image['Architecture']}"
    assert made("linux/s390x").expect(404).json() == {
        "message": f"image with reference busybox was found but its platform ({own}) does not match the specified platform (linux/s390x)"}
    made("linux%2F%2F").expect(400)
    assert daemon.container_ids() == []
    made("linux").expect(201)
    daemon.http.post("/v1.40/containers/create?platform=linux/s390x", json={"Image": "busybox"}).expect(201)


def test_the_mac_address_of_old_clients(daemon):
    def made(version, own=None):
        body = {"Image": "busybox", "MacAddress": "02:00:00:00:00:07", "HostConfig": {"NetworkMode": "bridge"},
                "NetworkingConfig": {"EndpointsConfig": {"bridge": {"MacAddress": own}}} if own else {}}
        return daemon.http.post(f"/v{version}/containers/create", json=body)
    warning = "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."
    assert made("1.43").expect(201).json()["Warnings"] == []
    assert made("1.44").expect(201).json()["Warnings"] == [warning]
    assert made("1.44", own="02:00:00:00:00:07").expect(201).json()["Warnings"] == [warning]
    assert made("1.44", own="02:00:00:00:00:08").expect(400).json() == {
        "message": "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty"}
    done = daemon.docker("create", "--mac-address", "02:00:00:00:00:09", "busybox")
    assert done.stderr == ""


def test_names_and_ids_are_filtered_by_regular_expressions(daemon):
    web, cache = create(daemon, name="web-1"), create(daemon, name="cache-web")

    def named(*filters):
        wanted = [word for each in filters for word in ("--filter", each)]
        return set(daemon.docker("ps", "-a", "--format", "{{.Names}}", *wanted).stdout.split())
    assert named("name=web") == {"web-1", "cache-web"}
    assert named("name=^web") == named("name=^/web-[0-9]$") == named(f"id=^{web[:6]}") == {"web-1"}
    assert named("name=web$") == {"cache-web"}
    assert named("name=^web$") == named("name=we(b") == set()
    assert named("name=^web", "name=^cache") == {"web-1", "cache-web"}
    assert named(f"id={cache[4:20]}") == {"cache-web"}
    assert named("is-task=true") == set() and named("is-task=false") == {"web-1", "cache-web"}


@pytest.mark.parametrize("filter, words", [
    ("status=blue", "Unrecognised filter value for status: blue"), ("health=blue", "Unrecognised filter value for health: blue"),
    ("exited=blue", "invalid filter 'exited=blue'"), ("is-task=blue", "invalid filter 'is-task=blue'"),
    ("publish=blue", "invalid filter 'publish=blue'"), ("before=nobody", "No such container: nobody"),
    ("blue=1", "invalid filter 'blue'")])
def test_a_bad_filter_of_docker_ps(daemon, filter, words):
    done = daemon.docker("ps", "--filter", filter, check=False)
    assert (done.returncode, done.stderr) == (1, f"Error response from daemon: {words}\n")

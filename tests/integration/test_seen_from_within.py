"""The settings of Config and HostConfig that nothing else here is about, each as the container itself sees it."""

import json
import os
import subprocess

import pytest

import containers
from containers import inspect, run, start, wait
from test_changes import cgroup_file
from test_settings import says

DEFAULT_CAPABILITIES = "00000000a80425fb"  # Docker's fourteen
STATUS = "grep -E 'CapEff' /proc/self/status | cut -f2"

# Nothing can be read of any of Docker's masked paths that this kernel has.
MASKED = ("for path in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug "
          "/proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware; do "
          "if [ -d $path ]; then ls $path; elif [ -e $path ]; then head -n 1 $path; fi; done; ")


@pytest.mark.parametrize("options, script, seen", [
    # Who it is.
    (["--hostname", "mine", "--domainname", "example.org"], "cat /proc/sys/kernel/domainname; grep -c 'mine.example.org mine' /etc/hosts",
     "example.org\n1\n"),
    (["--uts", "host"], "hostname", os.uname().nodename + "\n"),
    (["--workdir", "/made/for/it"], "pwd; stat -c %u:%a /made/for/it", "/made/for/it\n0:755\n"),
    (["--user", "1000", "--group-add", "77", "--group-add", "78"], "id -u; id -G", "1000\n0 77 78\n"),
    # What it may do.
    ([], STATUS, DEFAULT_CAPABILITIES + "\n"),
    (["--cap-drop", "ALL", "--cap-add", "NET_RAW"], STATUS, "0000000000002000\n"),
    (["--cap-drop", "CAP_CHOWN"], f"{STATUS}; chown 1 /tmp 2>/dev/null || echo refused", "00000000a80425fa\nrefused\n"),
    ([], MASKED + "echo 1 2>/dev/null > /proc/sys/kernel/panic || echo closed", "closed\n"),
    (["--security-opt", "systempaths=unconfined"], "mount | grep -cE ' on /proc/(kcore|sys|scsi|acpi) ' || true", "0\n"),
    # Where it looks.
    (["--dns", "192.0.2.53", "--dns-search", "example.com", "--dns-opt", "ndots:3"], "cat /etc/resolv.conf",
     ("nameserver 192.0.2.53", "search example.com", "options ndots:3")),
    # What it has.
    (["--shm-size", "2m"], "df -k /dev/shm | tail -1 | awk '{print $2}'", "2048\n"),
    (["--oom-score-adj", "321"], "cat /proc/self/oom_score_adj", "321\n"),
    (["--sysctl", "net.ipv4.ip_default_ttl=33", "--sysctl", "kernel.msgmax=9001"],
     "cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/msgmax", "33\n9001\n"),
    (["--device", "/dev/kmsg:/dev/mine:r"], "stat -c %F:%t:%T /dev/mine; echo 2>/dev/null > /dev/mine || echo closed",
     "character special file:1:b\nclosed\n"),
    (["--ulimit", "core=5120:10240", "--ulimit", "nproc=77"], "ulimit -S -c; ulimit -H -c; "
     "grep processes /proc/self/limits | awk '{print $3}'", "10\n20\n77\n"),
    # Which namespaces are the host's.
    (["--ipc", "host"], "readlink /proc/self/ns/ipc", os.readlink("/proc/self/ns/ipc") + "\n"),
    (["--pid", "host"], "readlink /proc/self/ns/pid", os.readlink("/proc/self/ns/pid") + "\n"),
    (["--cgroupns", "host"], "readlink /proc/self/ns/cgroup", os.readlink("/proc/self/ns/cgroup") + "\n"),
    (["--ipc", "none"], "mount | grep -c ' /dev/shm ' || true", "0\n"),
])
def test_a_setting_reaches_the_container(daemon, options, script, seen):
    found = says(daemon, script, *options)
    if isinstance(seen, str):
        assert found == seen
    else:
        assert all(line in found.splitlines() for line in seen), found


def test_a_privileged_container_has_what_the_daemon_has(daemon):
    script = "grep -E 'CapEff|^Seccomp:' /proc/self/status | cut -f2; ls /dev | wc -l; mount | grep -c ' on /sys type sysfs (rw' || true; " \
             "mount | grep -cE ' on /proc/(kcore|sys|scsi|acpi) ' || true"
    with open("/proc/self/status") as file:
        bounding = next(line.split()[1] for line in file if line.startswith("CapBnd"))
    capabilities, seccomp, devices, *rest = says(daemon, script, "--privileged").split()
    assert (capabilities, seccomp, rest) == (bounding, "0", ["1", "0"])
    ordinary = says(daemon, script).split()
    assert (ordinary[1], ordinary[3]) == ("2", "0") and int(ordinary[2]) < int(devices) and ordinary[4] != "0"


def test_a_tmpfs_of_mounts(daemon):
    script = "df -k /t | tail -1 | awk '{print $2}'; stat -c %a /t; cp /bin/busybox /t; /t/busybox true 2>/dev/null && echo runs; " \
             "touch /closed/x 2>/dev/null || echo closed"
    mounts = ["--mount", "type=tmpfs,dst=/t,tmpfs-size=4m,tmpfs-mode=0711", "--mount", "type=tmpfs,dst=/closed,readonly"]
    assert says(daemon, script, *mounts) == "4096\n711\nclosed\n"
    body = {"Image": "busybox", "Cmd": ["sh", "-c", script], "HostConfig": {"Mounts": [
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 4 << 20, "Mode": 0o700, "Options": [["exec"]]}},
        {"Type": "tmpfs", "Target": "/closed"}]}}
    container = daemon.http.post("/containers/create", json=body).expect(201).json()["Id"]
    start(daemon, container)
    wait(daemon, container)
    assert containers.lines(daemon, container) == ["4096", "700", "runs"]


def test_masked_and_read_only_paths_of_the_clients_own(daemon):
    body = {"Image": "busybox", "Cmd": ["sh", "-c", "cat /proc/uptime; touch /tmp/x 2>/dev/null || echo closed; "
                                                    "[ -w /proc/sys/kernel/panic ] && echo 1 > /proc/sys/net/ipv4/ip_default_ttl && echo open"],
            "HostConfig": {"MaskedPaths": ["/proc/uptime"], "ReadonlyPaths": ["/tmp"]}}
    container = daemon.http.post("/containers/create", json=body).expect(201).json()["Id"]
    start(daemon, container)
    wait(daemon, container)
    assert containers.lines(daemon, container) == ["closed", "open"]


def test_its_namespaces_are_its_own(daemon):
    found = says(daemon, "for kind in ipc pid uts net mnt cgroup; do readlink /proc/self/ns/$kind; done", "--cgroupns", "private")
    ours = {os.readlink(f"/proc/self/ns/{kind}") for kind in ("ipc", "pid", "uts", "net", "mnt", "cgroup")}
    assert len(found.split()) == 6 and not ours & set(found.split())


def test_entrypoint_and_command(daemon):
    def prints(*words):
        return daemon.docker("run", "--rm", *words).stdout
    assert prints("--entrypoint", "echo", "busybox", "a", "b c") == "a b c\n"
    container = daemon.docker("create", "busybox").stdout.strip()
    daemon.docker("commit", "-c", 'ENTRYPOINT ["echo", "from"]', "-c", 'CMD ["the", "image"]', container, "speaker")
    assert prints("speaker") == "from the image\n"
    assert prints("speaker", "the client") == "from the client\n"
    # An entrypoint of the client's hides the image's command.
    assert prints("--entrypoint", "echo", "speaker") == "\n"
    assert prints("--entrypoint", "", "speaker", "echo", "bare") == "bare\n"


def test_a_user_is_looked_up_in_the_container_s_own_files(daemon, tmp_path):
    (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\napp:x:4321:1234::/home/app:/bin/sh\n")
    (tmp_path / "group").write_text("root:x:0:\nteam:x:1234:\nwheel:x:55:app,other\nextra:x:66:\n")

    def who(user, *groups):
        container = daemon.docker("create", "--user", user, *[word for name in groups for word in ("--group-add", name)],
                                  "busybox", "sh", "-c", "id -u; id -G; echo $HOME").stdout.strip()
        for name in ("passwd", "group"):
            daemon.docker("cp", str(tmp_path / name), f"{container}:/etc/{name}")
        done = daemon.docker("start", "-a", container, check=False)
        return done.stdout.split("\n")[:3] if done.returncode == 0 else done.stderr
    assert who("app") == ["4321", "1234 55", "/home/app"]
    assert who("app:wheel") == ["4321", "55", "/home/app"]
    assert who("4321", "extra") == ["4321", "1234 55 66", "/home/app"]
    assert who("9:8") == ["9", "8", "/"]
    assert "unable to find user nobody-here" in who("nobody-here")
    assert "unable to find group" in who("app:nothing")


def test_a_seccomp_profile_of_the_client_s_own(daemon, tmp_path):
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    assert "No space left on device" in says(daemon, "mkdir /x 2>&1; touch /y && echo made", "--security-opt",
                                             f"seccomp={tmp_path}/profile.json")
    (tmp_path / "bad.json").write_text('{"defaultAction": "SCMP_ACT_MAYBE"}')
    done = daemon.docker("run", "--security-opt", f"seccomp={tmp_path}/bad.json", "busybox", "true", check=False)
    assert done.returncode == 125 and "SCMP_ACT_MAYBE" in done.stderr


def test_weights_and_reservations_reach_the_cgroup_or_are_warned_of(daemon):
    body = {"Image": "busybox", "Cmd": ["sleep", "1000"],
            "HostConfig": {"MemoryReservation": 32 << 20, "Memory": 64 << 20, "CpuShares": 512, "BlkioWeight": 300}}
    made = daemon.http.post("/containers/create", json=body).expect(201).json()
    start(daemon, made["Id"])
    assert cgroup_file(daemon, made["Id"], "memory", "memory.soft_limit_in_bytes") == str(32 << 20)
    assert cgroup_file(daemon, made["Id"], "cpu", "cpu.shares") == "512"
    weights = [name for name in ("blkio.weight", "blkio.bfq.weight") if os.path.exists(f"/sys/fs/cgroup/blkio/{name}")]
    if weights:
        assert cgroup_file(daemon, made["Id"], "blkio", weights[0]) == "300"
    else:
        assert any("does not support Block I/O weight" in warning for warning in made["Warnings"]), made
    assert inspect(daemon, made["Id"])["HostConfig"]["MemoryReservation"] == 32 << 20


@pytest.mark.parametrize("propagation, arrives", [("rprivate", False), ("rslave", True)])
def test_mounts_of_the_host_arrive_where_the_bind_says_so(daemon, tmp_path, propagation, arrives):
    source = tmp_path / "shared"
    (source / "later").mkdir(parents=True)
    subprocess.run(["mount", "--bind", source, source], check=True)
    try:
        subprocess.run(["mount", "--make-rshared", source], check=True)
        container = run(daemon, "while [ ! -e /given/go ]; do sleep 0.02; done; ls /given/later",
                        "--mount", f"type=bind,source={source},target=/given,bind-propagation={propagation}")
        subprocess.run(["mount", "-t", "tmpfs", "none", source / "later"], check=True)
        (source / "later" / "arrived").touch()
        (source / "go").touch()
        assert wait(daemon, container) == 0
        assert containers.logs(daemon, container) == (b"arrived\n" if arrives else b"")
        assert inspect(daemon, container)["Mounts"][0]["Propagation"] == propagation
    finally:
        subprocess.run(["umount", "-R", source], check=True)


@pytest.mark.parametrize("once", [True, False])
def test_stdin_once_ends_the_input_with_its_first_client(daemon, once):
    body = {"Image": "busybox", "Cmd": ["cat"], "OpenStdin": True, "StdinOnce": once, "AttachStdin": True}
    container = daemon.http.post("/containers/create", json=body).expect(201).json()["Id"]
    start(daemon, container)
    for word in ("typed\n",) if once else ("one\n", "two\n"):
        with daemon.docker_popen("attach", container, text=True, stdin=subprocess.PIPE) as client:
            client.stdin.write(word)
            client.stdin.flush()
            assert client.stdout.readline() == word
            client.kill()
    if once:
        assert wait(daemon, container) == 0
    else:
        assert containers.logs(daemon, container) == b"one\ntwo\n" and inspect(daemon, container)["State"]["Running"]

"""What a container has changed: diff, sizes, commit, and what system df says of it."""

import os
import stat

import containers
from test_image_archives import output_of
from waiting import eventually


def changes(daemon, container):
    return {(change["Kind"], change["Path"])
            for change in daemon.http.get(f"/containers/{container}/changes").expect(200).json()}


def test_diff_shows_what_the_container_did_and_nothing_else(daemon):
    fresh = containers.finished(daemon, "true")
    assert daemon.docker("diff", fresh).stdout == ""
    script = "mkdir -p /new/sub; echo x > /new/sub/file; echo y >> /etc/passwd; rm /etc/group; chmod 700 /home; " \
             "rm -r /var; mkdir /var; touch /var/log"
    container = containers.finished(daemon, script)
    assert changes(daemon, container) == {(1, "/new"), (1, "/new/sub"), (1, "/new/sub/file"), (0, "/etc"),
                                          (0, "/etc/passwd"), (2, "/etc/group"), (0, "/home"), (0, "/var"),
                                          (0, "/var/log"), (2, "/var/tmp")}
    lines = daemon.docker("diff", container).stdout.splitlines()
    assert "A /new/sub/file" in lines and "D /etc/group" in lines and "C /etc/passwd" in lines
    daemon.http.get("/containers/absent/changes").expect(404)


def test_sizes_count_what_a_container_wrote_once(daemon):
    container = containers.finished(daemon, "head -c 300000 /dev/zero > /f; ln /f /g; echo 12345 > /h")
    seen = daemon.http.get(f"/containers/{container}/json?size=1").expect(200).json()
    image = daemon.http.get("/images/busybox/json").expect(200).json()
    assert seen["SizeRw"] == 300_006 and seen["SizeRootFs"] == 300_006 + image["Size"]
    assert "SizeRw" not in containers.inspect(daemon, container)
    [row] = [row for row in daemon.http.get("/containers/json?all=1&size=1").expect(200).json() if row["Id"] == container]
    assert row["SizeRw"] == 300_006
    assert "300kB" in daemon.docker("ps", "-as").stdout


def test_commit_makes_an_image_of_the_changes(daemon):
    container = containers.run(daemon, f"echo new > /new; rm /etc/group; {containers.SILENT}", "-e", "A=1", "-l", "who=me",
                               "-w", "/tmp")
    eventually(lambda: (2, "/etc/group") in changes(daemon, container))
    done = daemon.docker("commit", "-a", "Me", "-m", "why", "-c", "ENV A=2 B='two words'", "-c", 'CMD ["cat", "/new"]',
                         "-c", "EXPOSE 80", "-c", "LABEL x=y", container, "made:here")
    image = daemon.http.get("/images/made:here/json").expect(200).json()
    assert image["Id"] == done.stdout.strip() and image["Author"] == "Me" and image["Comment"] == "why"
    config = image["Config"]
    assert config["Cmd"] == ["cat", "/new"] and config["WorkingDir"] == "/tmp" and "80/tcp" in config["ExposedPorts"]
    assert {"A=2", "B=two words"} <= set(config["Env"]) and config["Labels"] == {"who": "me", "x": "y"}
    assert image["Parent"] == daemon.http.get("/images/busybox/json").expect(200).json()["Id"]
    assert not containers.state(daemon, container)["Paused"]
    assert output_of(daemon, "made:here") == b"new\n"
    assert b"No such file" in output_of(daemon, "made:here", "ls", "/etc/group")
    newest = daemon.http.get("/images/made:here/history").expect(200).json()[0]
    assert newest["Comment"] == "why" and newest["Tags"] == ["made:here"] and newest["Size"] > 0
    # By a query alone, of a container that has ended, which changed nothing.
    ended = containers.finished(daemon, "true")
    answer = daemon.http.post(f"/commit?container={ended}&repo=other&tag=v1").expect(201).json()
    assert daemon.http.get("/images/other:v1/json").expect(200).json()["Id"] == answer["Id"]
    refused = daemon.http.post(f"/commit?container={ended}&changes=FROM%20x").expect(400).json()
    assert refused["message"] == "from is not a valid change command"
    daemon.http.post("/commit?container=absent").expect(404)
    daemon.http.post(f"/commit?container={ended}&repo=Bad").expect(400)


def test_a_client_that_leaves_a_commit_leaves_no_image_and_a_running_container(daemon):
    container = containers.run(daemon, f"dd if=/dev/zero of=/big bs=1M count=300; touch /ready; {containers.SILENT}")
    eventually(lambda: (1, "/ready") in changes(daemon, container))
    images = daemon.http.get("/images/json?all=1").expect(200).json()
    sock = daemon.http.connect()
    sock.sendall(f"POST /commit?container={container}&repo=half HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    daemon.leak_check("--expect-alive", "commit_container")
    sock.close()
    daemon.leak_check("commit_container")
    assert daemon.http.get("/images/json?all=1").expect(200).json() == images
    assert not containers.state(daemon, container)["Paused"]
    work = [os.listdir(f"{daemon.root}/{place}") for place in ("images/work", "layers/work")]
    assert work == [[], []]


def test_df_is_true_to_the_disk(make_daemon):
    daemon = make_daemon()

    def on_disk():
        total = 0
        for top in ("layers", "images/blobs"):
            for directory, _, files in os.walk(f"{daemon.root}/{top}"):
                if directory != f"{daemon.root}/layers" and "/diff" not in directory and "/blobs" not in directory:
                    continue
                for name in files:
                    info = os.lstat(os.path.join(directory, name))
                    total += info.st_size if stat.S_ISREG(info.st_mode) else 0
        return total

    container = containers.finished(daemon, "head -c 500000 /dev/urandom > /f")
    daemon.docker("commit", container, "more:1")
    daemon.docker("volume", "create", "vol")
    seen = daemon.http.get("/system/df").expect(200).json()
    assert seen["LayersSize"] == on_disk()
    by_tag = {image["RepoTags"][0]: image for image in seen["Images"]}
    assert by_tag["busybox:latest"]["Containers"] == 1 and by_tag["more:1"]["Containers"] == 0
    assert by_tag["more:1"]["SharedSize"] == by_tag["busybox:latest"]["SharedSize"] > 0
    assert [row["SizeRw"] for row in seen["Containers"]] == [500_000] and seen["Volumes"][0]["Name"] == "vol"
    assert set(daemon.http.get("/system/df?type=container").expect(200).json()) == {"Containers"}
    assert "Images" in daemon.docker("system", "df").stdout and "more" in daemon.docker("system", "df", "-v").stdout
    before = on_disk()
    pruned = daemon.http.post('/images/prune?filters={"dangling":["false"]}').expect(200).json()
    assert {"Untagged": "more:1"} in pruned["ImagesDeleted"]
    assert pruned["SpaceReclaimed"] == before - on_disk() > 500_000
    assert daemon.http.get("/system/df").expect(200).json()["LayersSize"] == on_disk()

"""docker build: what is refused, what fails, several at once, the daemon's end; and that nothing of it stays."""

import gzip
import os
import tarfile
import threading

import pytest

from builds import HEADERS, begun, build, context, link, nothing_goes_on, path, refusal, shell, stored, work_files
from containers import inspect
from waiting import eventually


# -- what is refused --

@pytest.mark.parametrize("dockerfile, message", [
    ("", "cannot be empty"),
    ("# nothing\n", "failed to parse Dockerfile: file with no instructions"),
    ("RUN true\n", "no build stage in current context"),
    ("ARG a\n", "no build stage in current context"),
    ("FROM busybox\nBOGUS x\n", "dockerfile parse error on line 2: unknown instruction: BOGUS"),
    ("FROM\n", "FROM requires at least one argument"),
    ("FROM a b\n", "FROM requires either one or three arguments"),
    ("FROM busybox\nRUN --mount=type=cache,target=/x true\n", "the --mount option of RUN requires BuildKit"),
    ("FROM busybox\nCOPY <<EOF /x\nEOF\n", "here-document"),
    ("# escape=x\nFROM busybox\n", "invalid escape token"),
    ("FROM busybox\nCOPY --nope=1 a b\n", "Unknown flag: nope"),
    ("FROM busybox\nCOPY a\n", "dockerfile parse error on line 2: COPY requires at least two arguments"),
    ("FROM busybox AS a\nFROM busybox AS A\n", "a stage name already used"),
])
def test_malformed_files_are_refused_as_a_whole(daemon, dockerfile, message):
    assert message in refusal(daemon, dockerfile)


@pytest.mark.parametrize("start, keyword, message", [
    ("", "ARG", "variables stand for more than 16777216 bytes"),
    ("FROM scratch\n", "ARG", "the image's configuration would be larger than 8388608 bytes"),
    ("FROM scratch\n", "ENV", "the image's configuration would be larger than 8388608 bytes"),
])
def test_variables_that_double_and_double_are_refused(daemon, start, keyword, message):
    lines = f"{keyword} a=0123456789abcdef\n" + f"{keyword} a=$a$a\n" * 22
    built = build(daemon, start + lines + "FROM scratch\n")
    assert message in built.error["message"]


@pytest.mark.parametrize("instruction, message", [
    ("COPY none /\n", "COPY failed: file not found in build context or excluded by .dockerignore: stat none: file does not exist"),
    ("COPY ../x /\n", "COPY failed: forbidden path outside the build context: ../x ()"),
    ("COPY *.none /\n", "COPY failed: no source files were specified"),
    ("COPY [a /\n", "COPY failed: no source files were specified"),
    ("COPY --from=busybox /none /\n", "COPY failed: stat none: file does not exist"),
    ("COPY a b /dst\n", "When using COPY with more than one source file, the destination must be a directory and end with a /"),
    ("COPY --from=7 a /\n", "invalid from flag value 7: index out of bounds"),
    ("COPY --from=0 a /\n", "invalid from flag value 0: refers to current build stage"),
    ("COPY --from=127.0.0.1:1/x a /\n", "invalid from flag value 127.0.0.1:1/x: Get "),
    ("COPY --chown=nobody-here a /\n", "unable to convert uid/gid chown string to host mapping: unable to find user nobody-here"),
    ("COPY a /etc/passwd/x\n", "failed to copy files"),
    ("ADD http://127.0.0.1:1/ /\n", "cannot determine filename for source http://127.0.0.1:1/"),
    ("ADD https://host/x.git /\n", "a repository as a source is not supported"),
    ("WORKDIR /etc/passwd\n", "Cannot mkdir: /etc/passwd is not a directory"),
    ("LABEL a=${x\n", "bad substitution"),
    ("STOPSIGNAL NOPE\n", "invalid signal: NOPE"),
    ("EXPOSE x\n", "invalid containerPort: x"),
    ("RUN [\"/no/such/program\"]\n", "/no/such/program"),
    ("FROM $nothing\n", "should not be blank"),
    ("FROM scratch\nRUN true\n", "there is no program yet"),
    ("FROM scratch\n", "No image was generated"),
])
def test_a_step_that_cannot_be_done(daemon, instruction, message):
    built = build(daemon, f"FROM busybox\n{instruction}", {"a": "", "b": ""})
    assert message in built.error["message"] and built.id is None, built.error
    assert built.lines[-1]["error"] == built.error["message"]
    assert nothing_goes_on(daemon)


def test_a_command_that_fails(daemon, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo before; exit 42\n")
    done = daemon.docker("build", str(tmp_path), check=False)
    assert done.returncode == 42
    assert "The command '/bin/sh -c echo before; exit 42' returned a non-zero code: 42" in done.stderr
    # Docker leaves the container of a failed step to be looked at, unless it is told otherwise.
    (left,) = daemon.container_ids()
    assert inspect(daemon, left)["State"]["ExitCode"] == 42
    daemon.remove_containers()
    built = build(daemon, "FROM busybox\nRUN exit 7\n", forcerm="1")
    assert " ---> Removed intermediate container" in built.text
    assert built.error == {"code": 7, "message": "The command '/bin/sh -c exit 7' returned a non-zero code: 7"}
    quiet = build(daemon, "FROM busybox\nRUN echo why; exit 7\n", forcerm="1", q="1")
    assert "why" in quiet.text and quiet.error["code"] == 7
    assert daemon.container_ids() == []
    kept = build(daemon, "FROM busybox\nRUN echo kept\n", rm="0").succeeded()
    assert "Removed intermediate" not in kept.text and len(daemon.container_ids()) == 1


@pytest.mark.parametrize("parameters, message", [
    ({"version": "2"}, "BuildKit is not supported"), ({"squash": "1"}, "squash"), ({"remote": "https://host/x.git"}, "repository"),
    ({"remote": "git@host:x"}, "repository"), ({"outputs": "[{\"Type\": \"local\"}]"}, "outputs")])
def test_what_is_not_there_says_so(daemon, parameters, message):
    assert message in refusal(daemon, "FROM busybox\n", 501, **parameters)


def test_clients_are_told_which_builder_there_is(daemon):
    assert daemon.http.get("/_ping").headers["builder-version"] == "1"


# -- contexts --

def entry(name, kind=tarfile.REGTYPE, **fields):
    member = tarfile.TarInfo(name)
    member.type = kind
    for field, value in fields.items():
        setattr(member, field, value)
    return member


@pytest.mark.parametrize("members, message", [
    ([entry("../outside")], "leads outside"), ([entry("a/../../outside")], "leads outside"),
    ([entry("hard", tarfile.LNKTYPE, linkname="../../../etc/passwd")], "leads outside"),
    ([entry("hard", tarfile.LNKTYPE, linkname="nothing")], "which is not there")])
def test_contexts_that_lead_out_are_refused(daemon, members, message):
    answer = daemon.http.post(path(), body=context("FROM busybox\n", members=members), headers=HEADERS).expect(400)
    assert message in answer.json()["message"]
    assert work_files(daemon) == []


def test_links_of_a_context_stay_in_it(daemon):
    members = [link("absolute", "/etc/hostname"), link("up", "../../../../etc"), entry("/rooted"), link("dir", "/")]
    files = {"etc/": "", "etc/hostname": "of the context", "etc/passwd": "the context's"}
    built = build(daemon, "FROM busybox\nCOPY absolute /a\nCOPY up/passwd /b\nCOPY rooted /c\n"
                          "COPY dir/etc /d/\n", files, members).succeeded()
    assert shell(daemon, built.id, "cat /a /b; ls /c /d") == "of the contextthe context's/c\n\n/d:\nhostname\npasswd\n"
    away = build(daemon, "FROM busybox\nCOPY absolute /a\n", {}, [link("absolute", "/etc/shadow")])
    assert "file not found in build context" in away.error["message"]
    answer = daemon.http.post(path(), body=context(None, {}, [link("Dockerfile", "/etc/passwd")]), headers=HEADERS).expect(400)
    assert answer.json()["message"] == "Cannot locate specified Dockerfile: Dockerfile"


def test_links_of_an_image_stay_in_it(daemon):
    built = build(daemon, "FROM busybox\nRUN mkdir /real; ln -s /real /linked; ln -s ../../../../.. /up; ln -s /real/file /file\n"
                          "COPY a /linked/\nCOPY a /up/\nCOPY a /up/real/b\nCOPY a /file\nWORKDIR /linked/sub\n", {"a": "A"}).succeeded()
    said = shell(daemon, built.id, "cat /real/a /a /real/b; ls -l /linked /real/file | wc -l; test -d /real/sub && echo sub")
    assert said == "AAA2\nsub\n"
    assert not os.path.exists("/real") and not os.path.exists("/a")


def test_contexts_have_a_bound(make_daemon):
    daemon = make_daemon(arguments=["--max-layer-bytes", "8000000"])
    bomb = gzip.compress(context("FROM busybox\n", {"zeros": b"\0" * 20_000_000}))
    assert len(bomb) < 100_000
    answer = daemon.http.post(path(), body=bomb, headers=HEADERS).expect(507, 500, 413)
    assert "larger than 8000000 bytes" in answer.json()["message"]
    added = build(daemon, "FROM busybox\nADD bomb /\n", {"bomb": bomb})
    assert added.error["message"] == "failed to copy files: bomb: larger than 8000000 bytes"
    assert work_files(daemon) == []


@pytest.mark.parametrize("body", [b"", b"no tar at all", gzip.compress(b"no tar"), context("FROM busybox\n")[:520]])
def test_bodies_that_are_no_context(daemon, body):
    daemon.http.post(path(), body=body, headers=HEADERS).expect(400)
    daemon.http.post(path(dockerfile="../../etc/passwd"), body=context("FROM busybox\n"), headers=HEADERS).expect(400)
    assert work_files(daemon) == []


# -- several at once, and the daemon's end --

def test_two_at_once(daemon):
    results = {}

    def run(number):
        results[number] = build(daemon, f"FROM busybox\nCOPY a /\nRUN sleep 0.3; cat /a > /b\nRUN echo {number % 2} > /c\n",
                                {"a": str(number % 2)}, t=f"at-once:{number}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        results[number].succeeded()
        assert shell(daemon, f"at-once:{number}", "cat /b /c") == f"{number % 2}{number % 2}\n"
    assert nothing_goes_on(daemon)


def test_a_killed_daemon_leaves_nothing(make_daemon):
    daemon = make_daemon()
    assert build(daemon, "FROM busybox\nRUN exit 3\n").error["code"] == 3
    (kept,) = daemon.container_ids()  # to be looked at: no longer the build's, so not for the next daemon to remove
    before = stored(daemon)
    stream, _ = begun(daemon)
    upload = context("FROM busybox\n", {"big": os.urandom(3_000_000)})
    sock = daemon.http.connect(10)
    sock.sendall(f"POST {path()} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(upload)}\r\n\r\n".encode() + upload[:2_000_000])
    eventually(lambda: len(work_files(daemon)) >= 2, what="the second context")
    daemon.kill9()
    stream.close()
    sock.close()
    daemon.start()
    assert daemon.container_ids() == [kept] and work_files(daemon) == [] and stored(daemon) == before
    assert daemon.http.get("/volumes").json()["Volumes"] in ([], None)
    build(daemon, "FROM busybox\nRUN true\n").succeeded()


def test_a_stopped_daemon_ends_its_builds(make_daemon):
    daemon = make_daemon()
    before = stored(daemon)
    stream, _ = begun(daemon)
    assert daemon.stop() == 0
    stream.close()
    daemon.start()
    assert daemon.container_ids() == [] and work_files(daemon) == [] and stored(daemon) == before

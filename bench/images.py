"""Cases of images: pulled from Debian's docker-registry on loopback, and loaded from an archive; 500 MB in eight layers."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time

import engines
from cases import median_of

LAYERS = 8
REPOSITORY = "bench/large"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def host_files(total):
    """This host's programs and libraries until they are `total` bytes: names, modes and sizes as images have them."""
    files, size = [], 0
    for root in ("/usr/lib", "/usr/bin", "/usr/share"):
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    length = os.path.getsize(path)
                    if length > total // 50:
                        continue  # one file must not be a whole layer
                    files.append(path)
                    size += length
                    if size >= total:
                        return files
    return files


class LargeImage:
    """An OCI layout of gzip layers (`layout`) and a docker-archive of the same layers plain (`archive`)."""

    def __init__(self, directory, total):
        self.directory = directory
        self.layout = os.path.join(directory, "layout")
        self.archive = os.path.join(directory, "archive.tar")
        os.makedirs(os.path.join(self.layout, "blobs/sha256"))
        files = host_files(total)
        share = -(-len(files) // LAYERS)
        plain = [self._layer(files[i * share:(i + 1) * share]) for i in range(LAYERS)]
        self.config = json.dumps({
            "os": "linux", "architecture": "amd64", "config": {"Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in plain]}}).encode()  # fmt: skip
        self.bytes = sum(map(len, plain))
        self._write_layout(plain)
        self._write_archive(plain)

    @staticmethod
    def _layer(files):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for path in files:
                tar.add(path, path.lstrip("/"))
        return out.getvalue()

    def _blob(self, data, media_type):
        with open(os.path.join(self.layout, "blobs/sha256", digest(data)[7:]), "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def _write_layout(self, plain):
        layers = [self._blob(gzip.compress(layer, 1, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip") for layer in plain]
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self._blob(self.config, "application/vnd.oci.image.config.v1+json"), "layers": layers}).encode()  # fmt: skip
        entry = self._blob(manifest, "application/vnd.oci.image.manifest.v1+json")
        entry["annotations"] = {"org.opencontainers.image.ref.name": "large"}
        for name, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", {"schemaVersion": 2, "manifests": [entry]})):
            with open(os.path.join(self.layout, name), "w", encoding="utf-8") as file:
                json.dump(value, file)

    def _write_archive(self, plain):
        with tarfile.open(self.archive, "w") as tar:
            def add(name, data):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            names = [f"{i}/layer.tar" for i in range(LAYERS)]
            for name, data in zip(names, plain):
                add(name, data)
            add("config.json", self.config)
            add("manifest.json", json.dumps([{"Config": "config.json", "RepoTags": ["large:1"], "Layers": names}]).encode())


class Registry:
    """Debian's docker-registry with the image in it."""

    def __init__(self, directory, image):
        self.port = engines.free_port()
        self.name = f"127.0.0.1:{self.port}/{REPOSITORY}"
        config = os.path.join(directory, "registry.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
                       f"storage: {{filesystem: {{rootdirectory: {directory}/registry}}}}\n"
                       f"http: {{addr: '127.0.0.1:{self.port}'}}\n")
        program = shutil.which("docker-registry")
        if program is None:
            raise engines.CannotRun("docker-registry is not installed")
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen([program, "serve", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        push = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{image.layout}:large", f"docker://{self.name}:1"]
        while subprocess.run(push, capture_output=True, check=False).returncode != 0:
            if time.monotonic() > end:
                self.close()
                raise RuntimeError("the registry takes no image")
            time.sleep(0.1)

    def close(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def large_image(bench):
    directory = tempfile.mkdtemp(dir=bench.work, prefix="large-")
    try:
        yield LargeImage(directory, bench.size(500_000_000, 20_000_000))
    finally:
        shutil.rmtree(directory)


def seconds(*command, **kwargs):
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, **kwargs)
    return time.monotonic() - started


class Peak:
    """The most of the engine's resident memory, looked at 20 times a second."""

    def __init__(self, engine):
        self.engine = engine
        self.kb = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self):
        while not self.done.wait(0.05):
            self.kb = max(self.kb, engines.resident_kb(self.engine.pids()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def drop(engine, name):
    engine.call("DELETE", f"/v1.41/images/{name}?force=1")
    os.sync()  # what one round left to write is not the next one's


def curl(engine, path):
    """A POST that has answered whole; its time."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as answer:
        took = seconds("curl", "-sf", "--unix-socket", engine.socket, "-X", "POST", "-o", answer.name, "http://x/v1.41" + path)
        text = answer.read()
    if '"errorDetail"' in text or not text:
        raise RuntimeError(f"{engine.name}: {path}: {text[-300:]}")
    return took


def skopeo_and_tar(image, registry, work):
    """skopeo copy to a directory, and tar of each layer after it: what a pull does, by others' programs."""
    target = os.path.join(work, "copied")
    took = seconds("skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{registry.name}:1", f"dir:{target}")
    with open(os.path.join(target, "manifest.json"), encoding="utf-8") as file:
        layers = [layer["digest"][7:] for layer in json.load(file)["layers"]]
    for index, layer in enumerate(layers):
        into = os.path.join(work, f"unpacked-{index}")
        os.mkdir(into)
        took += seconds("tar", "-xzf", os.path.join(target, layer), "-C", into)
    return took


def clear(work):
    for name in os.listdir(work):
        shutil.rmtree(os.path.join(work, name))
    os.sync()


def pulling(bench, engine):
    """Pulls of the image, each after one by skopeo and tar; then the image is here and is pulled again."""
    with large_image(bench) as image, contextlib.closing(Registry(image.directory, image)) as registry:
        path = f"/images/create?fromImage={registry.name}&tag=1"
        work = os.path.join(image.directory, "skopeo")
        os.mkdir(work)
        rounds = []
        for _ in range(bench.size(3, 1)):
            others = skopeo_and_tar(image, registry, work)
            clear(work)
            with Peak(engine) as peak:
                ours = curl(engine, path)
            again = curl(engine, path)
            rounds.append({"seconds": ours, "skopeo_seconds": others, "times": others / ours,
                           "peak_mb": peak.kb / 1024, "again_ms": again * 1e3})  # fmt: skip
            drop(engine, f"{registry.name}:1")
        return median_of(rounds)


def loading(bench, engine):
    """Loads of the archive, each after `tar x` of it."""
    with large_image(bench) as image:
        work = os.path.join(image.directory, "tar")
        os.mkdir(work)
        rounds = []
        for _ in range(bench.size(5, 1)):
            into = os.path.join(work, "x")
            os.mkdir(into)
            plain = seconds("tar", "-xf", image.archive, "-C", into)
            clear(work)
            with Peak(engine) as peak:
                ours = seconds("docker", "--host", "unix://" + engine.socket, "load", "-q", "-i", image.archive)
            rounds.append({"seconds": ours, "tar_seconds": plain, "of_tar": plain / ours, "peak_mb": peak.kb / 1024})
            drop(engine, "large:1")
        return median_of(rounds)

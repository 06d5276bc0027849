"""Images made byte by byte: their blobs, to be served by a registry of our own or written as an OCI layout."""

import gzip
import hashlib
import io
import json
import os
import tarfile

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(files):
    """A tar of {name: bytes}; a name that ends in / is a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


class OciImage:
    """layers are uncompressed tars; pack compresses them."""

    def __init__(self, layers, pack=lambda data: gzip.compress(data, 1), docker=False, config=None, platform=("linux", "amd64")):
        self.blobs = {}
        self.layers = [pack(layer) for layer in layers]
        self.config = json.dumps({
            "os": platform[0], "architecture": platform[1], "config": config or {"Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}}).encode()
        kind = "application/vnd.docker.image.rootfs.diff.tar.gzip" if docker else "application/vnd.oci.image.layer.v1.tar+gzip"
        self.media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        self.document = {
            "schemaVersion": 2, "mediaType": self.media_type,
            "config": self.blob(self.config, "application/vnd.docker.container.image.v1+json" if docker
                                else "application/vnd.oci.image.config.v1+json"),
            "layers": [self.blob(layer, kind) for layer in self.layers]}

    def blob(self, data, media_type):
        self.blobs[digest(data)] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    @property
    def manifest(self):
        return json.dumps(self.document).encode()

    @property
    def id(self):
        return digest(self.config)


def write_layout(directory, image, name):
    """An OCI layout of the image, for skopeo."""
    blobs = os.path.join(directory, "blobs/sha256")
    os.makedirs(blobs)
    for key, data in {**image.blobs, digest(image.manifest): image.manifest}.items():
        with open(os.path.join(blobs, key[7:]), "wb") as file:
            file.write(data)
    with open(os.path.join(directory, "oci-layout"), "w") as file:
        file.write('{"imageLayoutVersion":"1.0.0"}')
    with open(os.path.join(directory, "index.json"), "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [
            {"mediaType": image.media_type, "digest": digest(image.manifest), "size": len(image.manifest),
             "annotations": {"org.opencontainers.image.ref.name": name}}]}, file)

"""Debian's docker-registry on loopback, started for a test: plain or with TLS, open or with htpasswd."""

import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import ssl

from daemon import free_port
from waiting import eventually

USER, PASSWORD = "tester", "s3cret pass"


def run(*command, **kwargs):
    return subprocess.run(command, check=True, capture_output=True, **kwargs)


def make_authority(directory, name="authority"):
    """A CA of openssl's making: (certificate, key)."""
    certificate, key = os.path.join(directory, f"{name}.crt"), os.path.join(directory, f"{name}.key")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", key, "-out", certificate)
    return certificate, key


def make_certificate(directory, authority, name, alternatives):
    """A certificate for these subjectAltNames, signed by the authority: (certificate, key)."""
    certificate, key = os.path.join(directory, f"{name}.cert"), os.path.join(directory, f"{name}.key")
    request, extensions = os.path.join(directory, "csr"), os.path.join(directory, "ext")
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
        "-keyout", key, "-out", request)
    with open(extensions, "w") as file:
        file.write(f"subjectAltName={alternatives}\n")
    run("openssl", "x509", "-req", "-in", request, "-CA", authority[0], "-CAkey", authority[1], "-CAcreateserial",
        "-days", "2", "-extfile", extensions, "-out", certificate)
    return certificate, key


class Registry:
    """host is the name by which it is reached; close() ends it and removes its files."""

    def __init__(self, tls=None, client_ca=None, auth=False, host="127.0.0.1"):
        self.base = tempfile.mkdtemp(prefix="qreg", dir="/tmp")
        self.port = free_port()
        self.name = f"{host}:{self.port}"
        config = ["version: 0.1", "log: {level: warn, accesslog: {disabled: true}}", "storage:",
                  f"  filesystem: {{rootdirectory: {self.base}/data}}", "  delete: {enabled: true}",
                  "http:", f"  addr: 127.0.0.1:{self.port}"]
        if tls:
            config += ["  tls:", f"    certificate: {tls[0]}", f"    key: {tls[1]}"]
            if client_ca:
                config += [f"    clientcas: [{client_ca}]"]
        if auth:
            lines = run("htpasswd", "-Bbn", USER, PASSWORD).stdout
            with open(os.path.join(self.base, "htpasswd"), "wb") as file:
                file.write(lines)
            config += ["auth:", f"  htpasswd: {{realm: test, path: {self.base}/htpasswd}}"]
        path = os.path.join(self.base, "config.yml")
        with open(path, "w") as file:
            file.write("\n".join(config) + "\n")
        self.scheme = "https" if tls else "http"
        self.log = open(os.path.join(self.base, "log"), "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", path], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        eventually(self._answers, 20, "the registry's answer")

    def _answers(self):
        assert self.process.poll() is None, open(self.log.name).read()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            urllib.request.urlopen(f"{self.scheme}://127.0.0.1:{self.port}/", timeout=2, context=context)
        except urllib.error.HTTPError:
            return True
        except ssl.SSLError:
            return True  # it wants a certificate of ours
        except OSError:
            return False
        return True

    def blobs_directory(self):
        return os.path.join(self.base, "data/docker/registry/v2/blobs/sha256")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.base, ignore_errors=True)

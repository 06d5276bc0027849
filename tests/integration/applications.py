"""An application of three services (a web server, a worker, and a store that both need) as three clients bring it up."""

import os
import subprocess
from contextlib import contextmanager

import docker

from containers import inspect
from waiting import eventually

PORT = 8070
# What runs in each service's image, and what its Dockerfile says besides.
SERVICES = {
    "store": ("mkdir -p /data; echo kept >> /data/value; sleep 0.5; touch /ready; exec httpd -f -p 80 -h /data",
              ["HEALTHCHECK --interval=1s --timeout=5s --retries=20 CMD test -e /ready", "VOLUME /data"]),
    "worker": ("while true; do nc -w 1 store 80 < /dev/null && echo worked; sleep 0.2; done", []),
    "web": ("mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w", ["EXPOSE 80"]),
}
DOCKERFILE = """FROM busybox
COPY run.sh /
RUN chmod 755 /run.sh
{more}
CMD ["/run.sh"]
"""

COMPOSITION = f"""
version: "2.4"
services:
  store:
    build: ./store
    image: app-store
    volumes: ["kept:/data"]
    stop_grace_period: 0s
  worker:
    build: ./worker
    image: app-worker
    depends_on: {{store: {{condition: service_healthy}}}}
    stop_grace_period: 0s
  web:
    build: ./web
    image: app-web
    ports: ["{PORT}:80"]
    depends_on: [store]
    networks: {{default: {{aliases: [www]}}}}
    stop_grace_period: 0s
volumes:
  kept:
"""


class Application:
    """What the clients share: the images' content, and what is asked of the daemon itself."""

    network, volume, label = "app", "app_kept", "service"

    def __init__(self, daemon, directory):
        self.daemon = daemon
        self.directory = str(directory)
        for service, (script, more) in SERVICES.items():
            os.mkdir(self.path(service))
            with open(self.path(service, "run.sh"), "w") as file:
                file.write(f"#!/bin/sh\n{script}\n")
            with open(self.path(service, "Dockerfile"), "w") as file:
                file.write(DOCKERFILE.format(more="\n".join(more)))

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def run(self, *command, check=True):
        """What a command of a client prints on its standard output."""
        done = subprocess.run(command, env=self.daemon.docker_env(), capture_output=True, text=True,
                              timeout=120, stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def containers(self, service=None):
        """The ids of those that run."""
        wanted = self.label + (f"={service}" if service else "")
        return self.daemon.docker("ps", "-q", "--no-trunc", "--filter", f"label={wanted}").stdout.split()

    def close(self):
        """Lets go of what a client keeps open."""

    def is_healthy(self, container):
        return inspect(self.daemon, container)["State"]["Health"]["Status"] == "healthy"


class ByDocker(Application):
    """The docker command alone."""

    def build(self):
        for service in SERVICES:
            self.run("docker", "build", "--tag", f"app-{service}", self.path(service))

    def up(self):
        self.daemon.docker("network", "create", self.network)
        self.daemon.docker("volume", "create", self.volume)
        store = self._run("store", 1, "--volume", f"{self.volume}:/data")
        eventually(lambda: self.is_healthy(store), what="a healthy store")
        self._run("worker", 1)
        self._run("web", 1, "--publish", f"{PORT}:80", "--network-alias", "www")

    def _run(self, service, number, *options):
        return self.daemon.docker(
            "run", "--detach", "--name", f"app_{service}_{number}", "--network", self.network, "--network-alias", service,
            "--label", f"{self.label}={service}", "--stop-timeout", "0", *options, f"app-{service}").stdout.strip()

    def exec(self, service, *words):
        return self.daemon.docker("exec", f"app_{service}_1", *words, check=False).stdout

    def logs(self, service):
        return self.daemon.docker("logs", f"app_{service}_1").stdout

    @contextmanager
    def following(self, service):
        with self.daemon.docker_popen("logs", "--follow", "--tail", "1", f"app_{service}_1", text=True) as logs:
            try:
                yield logs.stdout
            finally:
                logs.kill()

    def scale(self, service, count):
        for number in range(len(self.containers(service)) + 1, count + 1):
            self._run(service, number)

    def restart(self, service):
        self.daemon.docker("restart", f"app_{service}_1")

    def down(self):
        self.daemon.docker("rm", "--force", "--volumes", *self.containers())
        self.daemon.docker("network", "rm", self.network)
        self.daemon.docker("volume", "rm", self.volume)


class ByCompose(Application):
    """docker-compose alone."""

    network, label = "app_default", "com.docker.compose.service"

    def __init__(self, daemon, directory):
        super().__init__(daemon, directory)
        with open(self.path("docker-compose.yml"), "w") as file:
            file.write(COMPOSITION)
        self.command = ["docker-compose", "--no-ansi", "-p", "app", "-f", self.path("docker-compose.yml")]

    def _compose(self, *words, check=True):
        return self.run(*self.command, *words, check=check)

    def build(self):
        self._compose("build")

    def up(self):
        self._compose("up", "-d")

    def exec(self, service, *words):
        return self._compose("exec", "-T", service, *words, check=False)

    def logs(self, service):
        return self._compose("logs", service)

    @contextmanager
    def following(self, service):
        with subprocess.Popen([*self.command, "logs", "-f", "--tail", "1", service], env=self.daemon.docker_env(),
                              text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as logs:
            try:
                yield logs.stdout
            finally:
                logs.kill()

    def scale(self, service, count):
        self._compose("up", "-d", "--scale", f"{service}={count}")

    def restart(self, service):
        self._compose("restart", service)

    def down(self):
        self._compose("down", "-v")


class ByPython(Application):
    """python3-docker alone."""

    def __init__(self, daemon, directory):
        super().__init__(daemon, directory)
        self.client = daemon.client()

    def close(self):
        self.client.close()

    def build(self):
        for service in SERVICES:
            image, lines = self.client.images.build(path=self.path(service), tag=f"app-{service}", rm=True)
            assert any("Successfully built" in line.get("stream", "") for line in lines) and image.tags

    def up(self):
        self.client.networks.create(self.network)
        self.client.volumes.create(self.volume)
        store = self._run("store", 1, volumes={self.volume: {"bind": "/data"}})
        eventually(lambda: self.is_healthy(store.id), what="a healthy store")
        self._run("worker", 1)
        self._run("web", 1, aliases=["www"], ports={"80/tcp": PORT})

    def _run(self, service, number, aliases=(), **options):
        # The aliases of a network that is not the default are for connect() to give.
        container = self.client.containers.create(
            f"app-{service}", name=f"app_{service}_{number}", network=self.network, labels={self.label: service}, **options)
        network = self.client.networks.get(self.network)
        network.disconnect(container)
        network.connect(container, aliases=[service, *aliases])
        container.start()
        return container

    def _first(self, service):
        return self.client.containers.get(f"app_{service}_1")

    def exec(self, service, *words):
        return self._first(service).exec_run(list(words)).output.decode()

    def logs(self, service):
        return self._first(service).logs().decode()

    @contextmanager
    def following(self, service):
        stream = self._first(service).logs(stream=True, follow=True, tail=1)
        try:
            yield (line.decode() for line in stream)
        finally:
            stream.close()

    def scale(self, service, count):
        for number in range(len(self.containers(service)) + 1, count + 1):
            self._run(service, number)

    def restart(self, service):
        self._first(service).restart(timeout=0)

    def down(self):
        for container in self.client.containers.list(filters={"label": self.label}):
            container.remove(force=True, v=True)
        self.client.networks.get(self.network).remove()
        try:
            self.client.volumes.get(self.volume).remove()
        except docker.errors.NotFound:
            raise AssertionError("the volume of a name went with a container") from None


CLIENTS = {"docker": ByDocker, "docker-compose": ByCompose, "python3-docker": ByPython}

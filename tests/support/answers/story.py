"""What every server is asked to do, and the questions at each stage of it.

An image, a container with many options (`full`), one with none (`plain`) and one that shares all it can with the host
(`host`): created, running, ended, removed. In
libpod's flavour a third one (`native`) is made by its own create.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.answers.server import Server
from tests.support.image_archive import Entry, busybox_image, docker_archive

IMAGE = "docker.io/library/answers:latest"
FULL, PLAIN, HOST, NATIVE = "answers-full", "answers-plain", "answers-host", "answers-native"
VOLUME = "answers-volume"
OTHERS = ("answers-other", "answers-native-volume")
LABEL = "answers"

_IMAGE_CONFIG: dict[str, Any] = {
    "Env": ["PATH=/bin:/usr/bin", "OF=image"],
    "Cmd": ["sh", "-c", "sleep 1000"],
    "Labels": {"of.image": "yes"},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/of-image": {}},
    "WorkingDir": "/home/app",
}


def full_container(folder: Path) -> dict[str, Any]:
    """A body of Docker's create; the container ends with 3 when `folder` has a file `end`."""
    return {
        "Image": IMAGE,
        "Cmd": ["sh", "-c", "echo hello; until [ -e /bound/end ]; do sleep 0.1; done; exit 3"],
        "Env": ["OF=request", "MORE=a b"],
        "User": "1000:1000",
        "Hostname": "full",
        "Labels": {LABEL: "full", "empty": ""},
        "ExposedPorts": {"81/udp": {}},
        "Volumes": {"/anonymous": {}},
        "StopSignal": "SIGINT",
        "StopTimeout": 3,
        "HostConfig": {
            "Binds": [f"{folder}:/bound", f"{VOLUME}:/volume:ro"],
            "Tmpfs": {"/scratch": "size=1m,mode=1777"},
            "Mounts": [{"Type": "volume", "Source": "answers-other", "Target": "/other"}],
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
            "CapAdd": ["NET_ADMIN"],
            "CapDrop": ["MKNOD"],
            "SecurityOpt": ["no-new-privileges"],
            "GroupAdd": ["2000"],
            "ReadonlyRootfs": True,
            "Memory": 64 << 20,
            "CpuShares": 512,
            "PidsLimit": 100,
            "OomScoreAdj": 100,
            "ShmSize": 32 << 20,
            "Dns": ["192.0.2.1"],
            "DnsSearch": ["example.org"],
            "DnsOptions": ["ndots:2"],
            "ExtraHosts": ["peer:192.0.2.2"],
        },
    }


def plain_container() -> dict[str, Any]:
    return {"Image": IMAGE, "Labels": {LABEL: "plain"}}


def host_container(folder: Path) -> dict[str, Any]:
    """A body of Docker's create: privileged, in the host's namespaces; it ends as the full one does."""
    return {
        "Image": IMAGE,
        "Entrypoint": ["sh", "-c"],
        "Cmd": ["until [ -e /bound/end ]; do sleep 0.1; done"],
        "Labels": {LABEL: "host"},
        "Tty": True,
        "OpenStdin": True,
        "WorkingDir": "/tmp",
        "HostConfig": {
            "NetworkMode": "host",
            "PidMode": "host",
            "IpcMode": "host",
            "UTSMode": "host",
            "CgroupnsMode": "host",
            "Privileged": True,
            "SecurityOpt": ["seccomp=unconfined"],
            "LogConfig": {"Type": "none", "Config": {}},
            "Mounts": [
                {"Type": "bind", "Source": str(folder), "Target": "/bound", "ReadOnly": True},
                {"Type": "tmpfs", "Target": "/scratch", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}},
            ],
            "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}],
            "NanoCpus": 500_000_000,
            "CpusetCpus": "0",
            "MemoryReservation": 32 << 20,
            "Annotations": {"org.example.note": "kept"},
        },
    }


def native_container(folder: Path) -> dict[str, Any]:
    """A body of libpod's create, as podman's command line makes one; it ends as the full one does."""
    private = {"nsmode": "private"}
    return {
        "name": NATIVE,
        "image": IMAGE,
        "image_volume_mode": "anonymous",
        "command": ["sh", "-c", "until [ -e /bound/end ]; do sleep 0.1; done; exit 3"],
        "env": {"OF": "request"},
        "user": "1000:1000",
        "hostname": "native",
        "labels": {LABEL: "native"},
        "annotations": {"org.example.note": "kept"},
        "stop_signal": 2,
        "stop_timeout": 3,
        "mounts": [
            {"destination": "/bound", "type": "bind", "source": str(folder), "options": ["rbind"]},
            {"destination": "/scratch", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m", "noexec"]},
        ],
        "volumes": [{"Name": "answers-native-volume", "Dest": "/volume", "Options": ["ro"]}],
        "netns": {"nsmode": "bridge"},
        "pidns": private,
        "utsns": private,
        "ipcns": {"nsmode": "shareable"},
        "cgroupns": private,
        "portmappings": [{"container_port": 80, "host_ip": "127.0.0.1", "host_port": 18099, "protocol": "tcp"}],
        "cap_add": ["CAP_NET_ADMIN"],
        "no_new_privileges": True,
        "groups": ["2000"],
        "resource_limits": {"memory": {"limit": 64 << 20}, "cpu": {"shares": 512}, "pids": {"limit": 100}},
        "dns_server": ["192.0.2.1"],
        "hostadd": ["peer:192.0.2.2"],
    }


class Answers:
    """What a server said: documents by name, and what has to be known to make them comparable.

    Attributes:
        ids: 64 digits -> what they are of.
        folders: path on the server's machine -> what it is.
        host_name: of that machine.
    """

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.ids: dict[str, str] = {}
        self.folders: dict[str, str] = {}
        self.host_name = ""

    def add(self, name: str, answer: Any) -> None:
        self.documents[name] = answer


class Story:
    """Args:
    docker: makes what both flavours show.
    flavour: is asked; the same as `docker`, or the libpod one of the same server.
    folder: empty, seen by the server under the same path.
    """

    def __init__(self, docker: Server, flavour: Server, folder: Path) -> None:
        self._docker = docker
        self._asked = flavour
        self._libpod = "libpod" in flavour.prefix
        self._folder = folder
        self._answers = Answers()

    def tell(self) -> Answers:
        """Make it all, ask at every stage, and take it away again.

        Raises:
            AssertionError: the server refused something.
        """
        began = time.time()
        self._folder.chmod(0o755)
        with self._cleared():
            self._load()
            self._say_what_it_is()
            self._containers()
        time.sleep(1.1)  # `until` is in whole seconds
        # Podman has no end with `until` and a file of events: it sends nothing.
        end: dict[str, object] = {"stream": "false"} if self._libpod else {"until": int(time.time())}
        events = self._asked.records("/events", since=int(began), **end)
        self._answers.add("events", by_action([each for each in events if time_of(each) >= began]))
        return self._answers

    @contextlib.contextmanager
    def _cleared(self) -> Iterator[None]:
        self._clear()
        try:
            yield
        finally:
            self._clear()

    def _clear(self) -> None:
        for name in (FULL, PLAIN, HOST, NATIVE):
            self._docker.ask("DELETE", f"/containers/{name}", may_fail=True, force=1, v=1)
        for name in (VOLUME, *OTHERS):
            self._docker.ask("DELETE", f"/volumes/{name}", may_fail=True)
        self._docker.ask("DELETE", f"/images/{IMAGE}", may_fail=True, force=1)

    def _load(self) -> None:
        image = busybox_image(IMAGE, more=[Entry("answers")], **_IMAGE_CONFIG)  # a layer that is no other image's
        self._docker.ask("POST", "/images/load", docker_archive(image), quiet=1)
        shown = self._ask("image", f"/images/{IMAGE}/json")
        self._answers.ids[shown["Id"].removeprefix("sha256:")] = "image"
        listed = self._asked.ask("GET", "/images/json", filters={"reference": [IMAGE]})
        self._answers.add("image-list", listed)
        self._ask("image-history", f"/images/{IMAGE}/history")

    def _say_what_it_is(self) -> None:
        self._ask("version", "/version")
        info = self._ask("info", "/info")
        self._answers.host_name = info["host"]["hostname"] if self._libpod else info["Name"]
        info.get("registries", {}).pop("search", None)  # how this machine happens to be configured
        store = info.get("store", {})
        for path, name in (
            (info.get("DockerRootDir"), "root"),
            (store.get("graphRoot"), "root"),
            (store.get("volumePath", "").removesuffix("/volumes"), "root"),
            (store.get("runRoot"), "runroot"),
        ):
            if path:
                self._answers.folders[path] = name
        self._answers.folders[str(self._folder)] = "folder"
        name = "podman" if self._libpod else "bridge"
        network = self._asked.ask("GET", f"/networks/{name}" + ("/json" if self._libpod else ""))
        self._answers.ids[network["id" if self._libpod else "Id"]] = "network"

    def _containers(self) -> None:
        bodies = {FULL: full_container(self._folder), PLAIN: plain_container(), HOST: host_container(self._folder)}
        for name, body in bodies.items():
            made = self._docker.ask("POST", "/containers/create", body, name=name)
            self._answers.ids[made["Id"]] = name
        if self._libpod:
            made = self._asked.ask("POST", "/containers/create", native_container(self._folder))
            self._answers.ids[made["Id"]] = NATIVE
            self._answers.add("native-made", made)
            self._ask("native-created", f"/containers/{NATIVE}/json")
        self._ask("container-created", f"/containers/{FULL}/json")
        self._list("list-created")
        names = (*bodies, NATIVE) if self._libpod else tuple(bodies)
        for name in names:
            self._docker.ask("POST", f"/containers/{name}/start")
        self._ask("container-running", f"/containers/{FULL}/json")
        self._ask("plain-running", f"/containers/{PLAIN}/json")
        self._ask("host-running", f"/containers/{HOST}/json")
        if self._libpod:
            self._ask("native-running", f"/containers/{NATIVE}/json")
        self._list("list-running")
        self._exec()
        self._ask("volume", f"/volumes/{VOLUME}" + ("/json" if self._libpod else ""))
        network = "podman" if self._libpod else "bridge"
        self._ask("network", f"/networks/{network}" + ("/json" if self._libpod else ""))
        (self._folder / "end").touch()
        for name in names:
            if name == PLAIN:
                self._docker.ask("POST", f"/containers/{name}/kill")
            self._docker.ask("POST", f"/containers/{name}/wait")
        time.sleep(0.5)  # Podman says `stopped` until it has cleaned up
        self._ask("container-ended", f"/containers/{FULL}/json")
        self._list("list-ended")
        for name in names:
            self._docker.ask("DELETE", f"/containers/{name}", v=1)

    def _exec(self) -> None:
        """A session that has ended, since how far a running one is differs from time to time."""
        body = {"Cmd": ["sh", "-c", "exit 4"], "AttachStdout": True, "AttachStderr": True}
        made = self._docker.ask("POST", f"/containers/{FULL}/exec", body)
        self._answers.ids[made["Id"]] = "exec"
        self._docker.ask("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})
        self._ask("exec", f"/exec/{made['Id']}/json")

    def _list(self, name: str) -> None:
        self._answers.add(name, self._asked.ask("GET", "/containers/json", all=1, filters={"label": [LABEL]}))

    def _ask(self, name: str, path: str) -> Any:
        answer = self._asked.ask("GET", path)
        self._answers.add(name, answer)
        return answer


def time_of(event: dict[str, Any]) -> float:
    return float(event["timeNano"]) / 1e9


def by_action(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The first event of each kind, action and name of a container.

    An object, so that one event more or less is one difference and not a difference in all that follow.
    """
    shown: dict[str, Any] = {}
    for event in events:
        attributes = event.get("Actor", {}).get("Attributes") or {}
        name = ""
        if event["Type"] == "container":
            name = f" {attributes.get('name', '')}"
        elif event["Type"] == "network":
            name = f" {attributes.get('container', '')}"
        elif event["Type"] == "volume":
            called = event["Actor"]["ID"] or attributes.get("name", "")
            # Several are mounted, in any order.
            anonymous = " ".join(["anonymous", *filter(None, [attributes.get("destination")])])
            name = f" {anonymous if len(called) == 64 else called}"
        shown.setdefault(f"{event['Type']} {event['Action']}{name}", event)
    return shown

"""The short form of a mount, `SOURCE:TARGET[:OPTIONS]`, as Docker's parser reads it (volume/mounts/linux_parser.go)."""

from __future__ import annotations

import posixpath
import re

from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.errors import InvalidParameter
from apiserver.wire.docker.options.targets import clean_target

PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_LABELS = ("z", "Z")
"""SELinux labels: there is nothing to do where SELinux is off."""
_CONSISTENCY = ("consistent", "cached", "delegated", "default")
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


def read_bind(spec: str) -> Mount:
    """A bind of a host directory, a named volume, or (a target alone) an anonymous volume.

    Raises:
        InvalidParameter: in Docker's words.
    """
    what = f"invalid volume specification: '{spec}'"
    parts = spec.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise InvalidParameter(what)
    if len(parts) == 1:
        return Mount(MountKind.VOLUME, clean_target("volume", parts[0], f"{what}: "), anonymous=True)
    source, path, *rest = parts
    kind = MountKind.BIND if source.startswith("/") else MountKind.VOLUME
    target = clean_target(kind.value, path, f"{what}: ")
    if kind is MountKind.VOLUME and not _VOLUME_NAME.fullmatch(source):
        raise InvalidParameter(
            f'{what}: "{source}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
    options = _Options.read(rest[0] if rest else "", kind)
    return Mount(
        kind,
        target,
        source=posixpath.normpath(source) if kind is MountKind.BIND else source,
        read_only=options.read_only,
        propagation=options.propagation,
        create_source=kind is MountKind.BIND,
        no_copy=options.no_copy,
        asked_as=spec,
    )


def bind_mode(mount: Mount) -> str:
    """The options at the end of a short form, which an inspection shows as `Mode`."""
    parts = mount.asked_as.split(":")
    return parts[2] if mount.kind is not MountKind.TMPFS and len(parts) == 3 else ""


class _Options:
    def __init__(self) -> None:
        self.read_only = False
        self.no_copy = False
        self.propagation = "rprivate"

    @classmethod
    def read(cls, text: str, kind: MountKind) -> _Options:
        """Each sort of option at most once, separated by commas."""
        options, seen = cls(), set[str]()
        for word in filter(None, text.split(",")):
            sort = options._take(word, kind)
            if sort is None or sort in seen:
                raise InvalidParameter(f"invalid mode: {text}")
            seen.add(sort)
        return options

    def _take(self, word: str, kind: MountKind) -> str | None:
        """What sort of option it is; None: it is none here."""
        if word in ("ro", "rw"):
            self.read_only = word == "ro"
            return "access"
        if word in _LABELS:
            return "label"
        if word == "nocopy" and kind is MountKind.VOLUME:
            self.no_copy = True
            return "copy"
        if kind is MountKind.BIND and word in PROPAGATIONS:
            self.propagation = word
            return "propagation"
        if kind is MountKind.BIND and word in _CONSISTENCY:
            return "consistency"
        return None

"""What a further process in a container has where it asks for nothing: kept beside the bundle."""

from __future__ import annotations

import json

from msgspec import Struct

from apiserver.local.paths import RunPaths


class Defaults(Struct, frozen=True):
    """What a session has where it asks for nothing: written by the run's bundle.

    Attributes:
        user: as the container was asked to run.
        env: as asked, without what every process gets.
    """

    user: str
    groups: tuple[str, ...]
    env: tuple[str, ...]
    hostname: str

    def to_json(self) -> bytes:
        value = {"user": self.user, "groups": self.groups, "env": self.env, "hostname": self.hostname}
        return json.dumps(value, ensure_ascii=False).encode(errors="surrogateescape")

    @classmethod
    def read(cls, run: RunPaths) -> Defaults:
        value = json.loads(run.defaults.read_bytes().decode(errors="surrogateescape"))
        return cls(value["user"], tuple(value["groups"]), tuple(value["env"]), value["hostname"])

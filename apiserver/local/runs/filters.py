"""System call filters that crun has compiled once: it takes 15 ms of each start to compile the same one again."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from apiserver.jsonvalue import JsonObject
from apiserver.local.runs.plan import RunPlan

ANNOTATION = "run.oci.seccomp_bpf_data"
"""crun's own: the filter to load instead of compiling `linux.seccomp`. Only what crun itself compiled goes in here."""

_KEPT = 64


class Filters:
    """In memory alone, where nobody else can change them; by the profile's whole text and the runtime's file."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], str] = {}

    def annotate(self, configuration: JsonObject, plan: RunPlan) -> tuple[str, str] | None:
        """Add the compiled filter where it is known.

        Returns:
            The key to `learn` it by, where it is not known yet; None where there is nothing to learn.
        """
        linux = configuration["linux"]
        profile = linux.get("seccomp") if isinstance(linux, dict) else None
        if profile is None or plan.runtime.name != "crun":
            return None
        key = (json.dumps(profile, sort_keys=True), _identity(plan.runtime))
        compiled = self._compiled.get(key)
        if compiled is None:
            return key
        configuration["annotations"] = {ANNOTATION: compiled}
        return None

    def learn(self, key: tuple[str, str], plan: RunPlan) -> None:
        """Take what the runtime compiled for a container that it has just created."""
        try:
            data = (plan.runtime_root / plan.key.container_id / "seccomp.bpf").read_bytes()
        except FileNotFoundError:
            return
        # Whole instructions of 8 bytes: else it is no filter.
        if data and len(data) % 8 == 0 and len(self._compiled) < _KEPT:
            self._compiled[key] = base64.b64encode(data).decode()


def _identity(runtime: Path) -> str:
    status = runtime.stat()
    return f"{runtime} {status.st_ino} {status.st_size} {status.st_mtime_ns}"

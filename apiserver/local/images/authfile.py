"""auth.json for one call of skopeo: a private file of its own, in the private directory of that call."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

from apiserver.engine.ports.registry import Credentials


def write_authfile(path: Path, credentials: Mapping[str, Credentials]) -> Path:
    """Write it anew (0600); blocks. For a registry that it does not name skopeo still looks into others of the host."""
    auths = {host: _entry(each) for host, each in credentials.items()}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"auths": auths}, file)
    return path


def _entry(credentials: Credentials) -> dict[str, str]:
    pair = f"{credentials.username}:{credentials.password}".encode()
    entry = {"auth": base64.b64encode(pair).decode()}
    if credentials.identity_token:
        entry["identitytoken"] = credentials.identity_token
    return entry

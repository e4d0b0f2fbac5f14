"""auth.json for one call of skopeo: a private file of its own, in the private directory of that call."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from apiserver.engine.ports.registry import Credentials
from apiserver.local.registries.private_file import write_private


def write_authfile(path: Path, credentials: Mapping[str, Credentials]) -> Path:
    """Write it anew (0600); blocks. For a registry that it does not name skopeo still looks into others of the host."""
    auths = {host: _entry(each) for host, each in credentials.items()}
    return write_private(path, json.dumps({"auths": auths}))


def _entry(credentials: Credentials) -> dict[str, str]:
    pair = f"{credentials.username}:{credentials.password}".encode()
    entry = {"auth": base64.b64encode(pair).decode()}
    if credentials.identity_token:
        entry["identitytoken"] = credentials.identity_token
    return entry

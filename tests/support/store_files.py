"""The files of an image store, written as skopeo and buildah write them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class StoreWriter:
    """Writes records; each `write` replaces the JSON by rename."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images: list[dict[str, Any]] = []
        self.layers: list[dict[str, Any]] = []

    def layer(self, seed: str, parent: str = "", size: int = 1) -> str:
        layer_id = hashlib.sha256(seed.encode()).hexdigest()
        self.layers.append({"id": layer_id, "parent": parent, "diff-digest": f"sha256:{layer_id}", "diff-size": size})
        (self.root / "overlay" / layer_id / "diff").mkdir(parents=True)
        return layer_id

    def image(self, config: dict[str, Any], layer: str, names: Sequence[str] = (), **more: Any) -> str:
        data = json.dumps(config).encode()
        image_id = hashlib.sha256(data).hexdigest()
        key = f"sha256:{image_id}"
        record = {"id": image_id, "layer": layer, "big-data-names": [key], **more}
        self.images.append({**record, "names": list(names)} if names else record)
        directory = self.root / "overlay-images" / image_id
        directory.mkdir(parents=True)
        (directory / ("=" + base64.b64encode(key.encode()).decode())).write_bytes(data)
        return image_id

    def write(self) -> None:
        for kind, records in (("layers", self.layers), ("images", self.images)):
            directory = self.root / f"overlay-{kind}"
            directory.mkdir(parents=True, exist_ok=True)
            fresh = directory / ".tmp"
            fresh.write_text(json.dumps(records))
            fresh.rename(directory / f"{kind}.json")

"""A host with other files under /etc and /run, for one service alone: in a mount namespace of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def with_host_files(folder: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    """A `wrapper` of `Service` in whose mount namespace these files are what the host has; nobody else sees them.

    Args:
        folder: an empty one, for their content.
        files: content by absolute path; the whole directory of each is replaced.
    """
    directories: dict[Path, Path] = {}
    for path, content in files.items():
        directory = Path(path).parent
        place = directories.setdefault(directory, folder / str(len(directories)))
        place.mkdir(parents=True, exist_ok=True)
        (place / Path(path).name).write_text(content)
        (place / Path(path).name).chmod(0o600)
    script = "".join(f"mkdir -p {to} && mount --bind {place} {to} && " for to, place in directories.items())
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script + 'exec "$@"', "sh")

"""The daemon's own configuration file: a flat TOML table whose keys are the names of `serve`'s options."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path


class BadConfiguration(ValueError):
    """A file that cannot be read or holds what no option is called; the message names file and key."""


def read_daemon_toml(path: Path, known: Collection[str]) -> dict[str, list[str]]:
    """What the file says, as the words that the command line would have had.

    Args:
        known: the options' names without their dashes, `idle-timeout` for example.

    Returns:
        Each key with its values; only a TOML array has more than one.

    Raises:
        BadConfiguration: not readable, not TOML, an unknown key, or a value that is no string or number.
    """
    import tomllib  # not above: most starts read no file

    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"configuration file {path}: {error}") from error
    for key in table:
        if key not in known:
            raise BadConfiguration(f"configuration file {path}: unknown key {key!r}")
    return {key: _words(path, key, value) for key, value in table.items()}


def _words(path: Path, key: str, value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            raise BadConfiguration(f"configuration file {path}: {key} must be a string or a number")
    return [str(one) for one in values]

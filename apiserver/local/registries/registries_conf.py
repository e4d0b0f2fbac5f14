"""registries.conf: its files, and what they say of short names and credential helpers; for the rest see `endpoints`.

A name without a registry means its alias, or else what stands under `unqualified-search-registries` in their order.
An alias that a user's choice was remembered as wins over those of registries.conf; an empty one takes an alias away
(https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from apiserver.engine.ports.registry import ShortName
from apiserver.errors import HostError

SYSTEM = Path("/etc/containers/registries.conf")
USER = Path("/root/.config/containers/registries.conf")
REMEMBERED_ALIASES = Path("/var/cache/containers/short-name-aliases.conf")
_SEARCH = "unqualified-search-registries"

_HELPERS = re.compile(r"^[ \t]*credential-helpers[ \t]*=[ \t]*\[[^\]]*\][^\n]*$", re.MULTILINE)


class BadRegistriesConf(HostError):
    cause = "invalid registries.conf"
    docker = libpod = "{cause}: {subject}"


def short_name(name: str, main: Path | None = None, remembered: Path = REMEMBERED_ALIASES) -> ShortName:
    """What a short name, with its tag or digest, means; blocks.

    Args:
        main: instead of the host's registries.conf.
        remembered: the aliases that tools have kept.

    Raises:
        BadRegistriesConf
    """
    path, mark, suffix = name, "", ""
    for separator in "@:":
        head, found, tail = path.partition(separator)
        if found:
            path, mark, suffix = head, found, tail + mark + suffix
    aliases: dict[str, tuple[str, Path]] = {}
    search: Sequence[str] = ()
    searching = _main(main)
    for file in (*files(main), remembered):
        content = read(file)
        if _SEARCH in content:
            search, searching = _searched(file, content), file
        named = content.get("aliases", {})
        if not isinstance(named, dict) or not all(isinstance(each, str) for each in named.values()):
            raise BadRegistriesConf(f"{file}: aliases is not a table of strings")
        aliases |= {alias: (full, file) for alias, full in named.items()}
    full, origin = aliases.get(path, ("", searching))
    if full:
        return ShortName(path, (full + mark + suffix,), is_alias=True, origin=str(origin))
    return ShortName(path, tuple(f"{registry}/{name}" for registry in search), is_alias=False, origin=str(searching))


def search_registries(main: Path | None = None) -> Sequence[str]:
    """Where a short name is looked for, in order; blocks.

    Args:
        main: instead of the host's registries.conf.

    Raises:
        BadRegistriesConf
    """
    search: Sequence[str] = ()
    for file in files(main):
        content = read(file)
        if _SEARCH in content:
            search = _searched(file, content)
    return search


def _searched(file: Path, content: Mapping[str, Any]) -> Sequence[str]:
    listed = content[_SEARCH]
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise BadRegistriesConf(f"{file}: {_SEARCH} is not a list of strings")
    return listed


def _main(named: Path | None) -> Path:
    return named or (USER if USER.exists() else SYSTEM)


def files(main: Path | None) -> Iterator[Path]:
    """What skopeo reads, in its order: what stands in a later file wins. Not all need to be there.

    Args:
        main: the registries.conf that it is told of instead of the host's.
    """
    yield _main(main)
    yield from drop_ins(main)


def drop_ins(main: Path | None) -> Iterator[Path]:
    """The files of registries.conf.d; /etc has none for root where root has a registries.conf, unless one is named.

    Args:
        main: the registries.conf that skopeo is told of instead of the host's.
    """
    for beside in (USER,) if main is None and USER.exists() else (SYSTEM, USER):
        directory = beside.with_name("registries.conf.d")
        if not directory.is_symlink():  # containers/image does not look into one
            yield from sorted(each for each in directory.glob("*.conf") if not each.is_dir())


def read(path: Path) -> dict[str, Any]:
    """A file's content, which is nothing where there is none; blocks.

    Raises:
        BadRegistriesConf
    """
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadRegistriesConf(f"{path}: {error}") from error

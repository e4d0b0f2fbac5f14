"""Where a repository comes from: what registries.conf says of it, and a registries.conf that says so of it alone.

As containers/image reads it (pkg/sysregistriesv2/system_registries_v2.go, docker/docker_image_src.go and
docker_client.go, the same in 5.23 and 5.34): the entry with the longest prefix of a repository says where it comes
from, mirrors first. Whether it is blocked is looked up once more for each of these places, by its own name. A push
goes to the repository itself, and its entry says no more than `insecure` and `blocked`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from apiserver.errors import NotImplementedYet
from apiserver.local.registries.private_file import write_private
from apiserver.local.registries.registries_conf import BadRegistriesConf, drop_ins, files, read

_ALL = "all"
_DIGEST_ONLY, _TAG_ONLY = "digest-only", "tag-only"
_LIMITS = frozenset({"", _ALL, _DIGEST_ONLY, _TAG_ONLY})

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?(?:/{_COMPONENT})+")


class Endpoint(Struct, frozen=True):
    """One place that a repository is read from, or written to.

    Attributes:
        location: `HOST[:PORT]/PATH`, as it is asked for: `docker.io/library/box`.
        insecure: a certificate that nobody vouches for is good enough, and so is plain HTTP.
        pull_from_mirror: which pulls a mirror is for: all where it is empty or `all`, `digest-only` or `tag-only`.
        blocked: nobody may be asked there.
    """

    location: str
    insecure: bool = False
    pull_from_mirror: str = ""
    blocked: bool = False

    @property
    def host(self) -> str:
        """`HOST[:PORT]`."""
        return self.location.partition("/")[0]

    def verified(self, tls_verify: bool | None, insecure_host: str = "") -> Endpoint:
        """The same where a request says how registries are spoken to; see `RegistryAccess`."""
        if tls_verify is None and self.host != insecure_host:
            return self
        return replace(self, insecure=not tls_verify)


class Source(Struct, frozen=True):
    """Where a repository comes from.

    Attributes:
        registry: the last that is asked.
        mirrors: asked before it, in this order.
        mirror_by_digest_only: none of them is for pulls by tag.
    """

    registry: Endpoint
    mirrors: tuple[Endpoint, ...] = ()
    mirror_by_digest_only: bool = False

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All, in the order in which they are asked."""
        return (*self.mirrors, self.registry)

    @property
    def listed(self) -> tuple[Endpoint, ...]:
        """Who may be asked which tags there are, in this order: the registry first, since a mirror may lack some.

        The registry alone, blocked, where nobody may.
        """
        mirrors = [each for each in self.mirrors if each.pull_from_mirror != _DIGEST_ONLY]
        candidates = (self.registry, *([] if self.mirror_by_digest_only else mirrors))
        return tuple(each for each in candidates if not each.blocked) or (self.registry,)

    def verified(self, tls_verify: bool | None, insecure_host: str = "") -> Source:
        """The same where a request says how registries are spoken to; see `RegistryAccess`."""
        registry, *mirrors = (each.verified(tls_verify, insecure_host) for each in (self.registry, *self.mirrors))
        return replace(self, registry=registry, mirrors=tuple(mirrors))

    def by_tag(self) -> Source:
        """The same for a pull by tag, which goes on by the digest that the tag leads to: also where mirrors take tags
        alone.
        """
        mirrors = (
            replace(each, pull_from_mirror="") if each.pull_from_mirror == _TAG_ONLY else each for each in self.mirrors
        )
        return replace(self, mirrors=tuple(mirrors))


def source(repository: str, main: Path | None = None) -> Source:
    """Where `HOST[:PORT]/PATH` comes from; blocks.

    Args:
        main: instead of the host's registries.conf.

    Raises:
        BadRegistriesConf
    """
    repository = full_name(repository)
    entries = _entries(main)
    entry = _find(repository, entries)
    if entry is None:
        return Source(Endpoint(repository))

    def endpoint(written: _Mirror) -> Endpoint:
        location = _rewritten(repository, entry, written.location)
        found = _find(location, entries)
        blocked = found is not None and found.blocked
        return Endpoint(location, written.insecure, written.pull_from_mirror, blocked)

    mirrors = tuple(endpoint(each) for each in entry.mirror)
    return Source(endpoint(entry), mirrors, entry.mirror_by_digest_only)


def destination(name: str, main: Path | None = None) -> Endpoint:
    """What a push to `HOST[:PORT]/PATH`, or a login at `HOST[:PORT]`, goes to: there itself; blocks.

    Args:
        main: instead of the host's registries.conf.

    Raises:
        BadRegistriesConf
    """
    name = full_name(name)
    entry = _find(name, _entries(main))
    return Endpoint(name) if entry is None else Endpoint(name, entry.insecure, blocked=entry.blocked)


def write_conf(
    file: Path, repository: str, source: Source, proxies: Mapping[str, str], *, credentials: bool = True
) -> Path:
    """Write a registries.conf (0600) that says where one repository comes from, and nothing else; blocks.

    registries.conf.d of the host counts beside it, as beside any.

    Args:
        proxies: where to ask instead, `HOST[:PORT]` by the `HOST[:PORT]` of endpoints. There nothing is verified.
        credentials: they are looked for, so that a file of registries.conf.d may have helpers asked.

    Raises:
        BadRegistriesConf
        NotImplementedYet: a file of registries.conf.d would win over it, or has credential helpers asked.
    """
    repository = full_name(repository)
    for each in drop_ins(file):
        conf = _conf(each)
        if credentials and any(helper != "containers-auth.json" for helper in conf.credential_helpers):
            raise NotImplementedYet("credentials for a registry where registries.conf.d names credential helpers")
        if any(entry.prefix == repository for entry in _of_file(each, old_format=False)):
            what = "credentials, or a mirror of a registry on loopback,"
            raise NotImplementedYet(f"{what} where registries.conf.d has {repository} as a prefix")
    registry, *mirrors = (_by_proxy(each, proxies) for each in (source.registry, *source.mirrors))
    lines = ["[[registry]]", _line("prefix", repository), *_endpoint_lines(registry)]
    lines += [_line("blocked", registry.blocked), _line("mirror-by-digest-only", source.mirror_by_digest_only)]
    for mirror in mirrors:
        lines += ["[[registry.mirror]]", *_endpoint_lines(mirror)]
        lines += [_line("pull-from-mirror", mirror.pull_from_mirror)] if mirror.pull_from_mirror else []
    # What is blocked is looked up by the place: these say of each what the host's files say of it together.
    places: dict[str, Endpoint] = {}
    for place in (registry, *mirrors):
        places.setdefault(place.location, place)
    for location, place in places.items():
        if location != repository:
            lines += ["[[registry]]", *_endpoint_lines(place), _line("blocked", place.blocked)]
    return write_private(file, "\n".join(lines) + "\n")


def full_name(name: str) -> str:
    """`HOST[:PORT][/PATH]` as registries.conf knows it: `docker.io/box` is `docker.io/library/box`."""
    host, slash, path = name.partition("/")
    host = "docker.io" if host == "index.docker.io" else host
    return f"{host}/library/{path}" if host == "docker.io" and slash and "/" not in path else host + slash + path


def _is_full_name(name: str) -> bool:
    """Whether it is a repository that containers/image would not write any other way."""
    if not _NAME.fullmatch(name) or full_name(name) != name:
        return False
    host = name.partition("/")[0]
    return host == "localhost" or bool(re.search("[.:]", host))


def _by_proxy(endpoint: Endpoint, proxies: Mapping[str, str]) -> Endpoint:
    proxy = proxies.get(endpoint.host)
    if proxy is None or endpoint.blocked:
        return endpoint
    return replace(endpoint, location=proxy + endpoint.location[len(endpoint.host) :], insecure=True)


def _endpoint_lines(endpoint: Endpoint) -> Iterator[str]:
    yield _line("location", endpoint.location)
    yield _line("insecure", endpoint.insecure)


def _line(key: str, value: str | bool) -> str:
    """In TOML, whose strings are JSON's but for one character that has to be escaped too."""
    return f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")


class _Mirror(Struct, frozen=True, rename="kebab"):
    location: str = ""
    insecure: bool = False
    pull_from_mirror: str = ""


class _Entry(_Mirror, frozen=True, rename="kebab"):
    prefix: str = ""
    mirror: tuple[_Mirror, ...] = ()
    blocked: bool = False
    mirror_by_digest_only: bool = False


class _Listed(Struct, frozen=True):
    registries: tuple[str, ...] = ()


class _OldFormat(Struct, frozen=True):
    """Version 1: `[registries.search]` and so on."""

    search: _Listed = _Listed()
    insecure: _Listed = _Listed()
    block: _Listed = _Listed()

    def __bool__(self) -> bool:
        return any(each.registries for each in (self.search, self.insecure, self.block))


class _Conf(Struct, frozen=True, rename="kebab"):
    registry: tuple[_Entry, ...] = ()
    registries: _OldFormat = _OldFormat()
    credential_helpers: tuple[str, ...] = ()
    unqualified_search_registries: tuple[str, ...] = ()
    short_name_mode: str = ""
    aliases: Mapping[str, str] = {}

    @property
    def in_new_format(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__ if name != "registries")


def _entries(main: Path | None) -> Mapping[str, _Entry]:
    """By prefix, those of later files in the place of earlier ones'."""
    if main is not None and not main.exists():
        raise BadRegistriesConf(f"{main}: no such file")
    found: dict[str, _Entry] = {}
    for number, file in enumerate(files(main)):
        found |= {each.prefix: each for each in _of_file(file, old_format=number == 0)}
    return found


def _conf(file: Path) -> _Conf:
    try:
        return msgspec.convert(_lower_case(read(file)), _Conf)
    except msgspec.ValidationError as error:
        raise BadRegistriesConf(f"{file}: {error}") from error


def _lower_case(value: Any) -> Any:
    """With the keys in lower case: to Go's TOML they are the same, but an exact one wins."""
    if isinstance(value, list):
        return [_lower_case(each) for each in value]
    if not isinstance(value, dict):
        return value
    exact_last = sorted(value.items(), key=lambda item: item[0] == item[0].lower())
    return {key.lower(): _lower_case(each) for key, each in exact_last}


def _of_file(file: Path, *, old_format: bool) -> Iterable[_Entry]:
    """The entries of one file, checked, each with its prefix; of two with the same prefix the first."""
    conf = _conf(file)
    if conf.registries and (conf.in_new_format or not old_format):
        raise BadRegistriesConf(f"{file}: version 1 of its format does not go with version 2")
    written = _converted(conf.registries) if conf.registries else conf.registry
    entries = [_checked(file, each) for each in written]
    said: dict[str, tuple[bool, bool]] = {}
    for entry in entries:
        place, says = entry.location or entry.prefix, (entry.insecure, entry.blocked)
        if said.setdefault(place, says) != says:
            raise BadRegistriesConf(f"{file}: {place} is there more than once, with conflicting settings")
    return {entry.prefix: entry for entry in reversed(entries)}.values()


def _converted(old: _OldFormat) -> Iterator[_Entry]:
    insecure, blocked = ({_trimmed(each) for each in listed.registries} for listed in (old.insecure, old.block))
    for location in insecure | blocked:
        yield _Entry(location=location, insecure=location in insecure, blocked=location in blocked)


def _checked(file: Path, entry: _Entry) -> _Entry:
    """With its prefix, which is its location where it has none.

    Raises:
        BadRegistriesConf: containers/image would refuse it.
    """

    def bad(why: str) -> BadRegistriesConf:
        return BadRegistriesConf(f"{file}: registry {entry.prefix or entry.location}: {why}")

    location = _trimmed(entry.location)
    prefix = _trimmed(entry.prefix) if entry.prefix else location
    wildcard = prefix.startswith("*.")
    if not location and not wildcard:
        raise bad("neither a location nor a prefix like *.example.com")
    if wildcard and re.search("[/@:]", prefix):
        raise bad("such a prefix is a domain, and nothing more")
    if entry.pull_from_mirror:
        raise bad("pull-from-mirror is for mirrors")
    for mirror in entry.mirror:
        if not _trimmed(mirror.location):
            raise bad("a mirror has no location")
        if mirror.pull_from_mirror not in _LIMITS:
            raise bad(f"pull-from-mirror is {mirror.pull_from_mirror}")
        if mirror.pull_from_mirror and entry.mirror_by_digest_only:
            raise bad("mirror-by-digest-only does not go with pull-from-mirror")
    for each in (location, prefix, *(mirror.location for mirror in entry.mirror)):
        if each.startswith(("http://", "https://")):
            raise bad("a location has no scheme")
    return replace(entry, prefix=prefix, location=location)


def _trimmed(location: str) -> str:
    return location.rstrip("/")


def _find(name: str, entries: Mapping[str, _Entry]) -> _Entry | None:
    """The entry with the longest prefix of a name; of two as long the first in the alphabet."""
    matching = (prefix for prefix in sorted(entries) if _matched(name, prefix) is not None)
    longest = max(matching, key=len, default=None)
    return None if longest is None else entries[longest]


def _matched(name: str, prefix: str) -> int | None:
    """How much of a name a prefix stands for; `example.com` also does for `example.com:5000`."""
    if prefix.startswith("*."):
        start = name.find(prefix[1:])
        if start < 0 or "/" in name[:start]:
            return None
        end = start + len(prefix) - 1
    else:
        if not name.startswith(prefix):
            return None
        end = len(prefix)
    return end if name[end : end + 1] in ("", ":", "/", "@") else None


def _rewritten(repository: str, entry: _Entry, location: str) -> str:
    if not location:
        return repository  # of an entry for all below a domain
    name = location + repository[_matched(repository, entry.prefix) :]
    if not _is_full_name(name):
        raise BadRegistriesConf(f"registry {entry.prefix}: {repository} would be {name}, which is no full name")
    return name

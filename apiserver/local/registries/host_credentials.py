"""The credentials that the host itself has for a repository: what containers/image would find, found here.

As `GetCredentialsForRef` of its pkg/docker/config does it, 5.23 and 5.34: who is listed under `credential-helpers` in
registries.conf, in that order; the auth files, in theirs; in a file its helper for the registry, or else its most
specific entry. What fails there is passed over while somebody else still has credentials, and is an error otherwise.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct, field
from twisted.logger import Logger

from apiserver.config.host.programs import parse_version, version_numbers
from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.engine.ports.registry import Credentials
from apiserver.errors import HostError, ProgramMissing
from apiserver.local.registries import registries_conf
from apiserver.local.registries.registries_conf import BadRegistriesConf
from apiserver.local.threads import InThread

RUNTIME_AUTHFILE = Path("/run/containers/0/auth.json")
"""Where `podman login` of root's puts them while XDG_RUNTIME_DIR is not set, as it never is for our skopeo."""

HOME = Path("/root")

_BELOW_HOME = (".config/containers/auth.json", ".docker/config.json")
_LEGACY = ".dockercfg"
"""Of Docker's first format: the registries alone, their keys URLs mostly."""

HELPER_LIMIT = 60.0
"""Seconds for a helper, which may ask a service in the network."""

_AUTH_FILES = "containers-auth.json"
"""The entry of `credential-helpers` that is no program."""

_ANSWER_LIMIT = 1024 * 1024
_NOT_FOUND = "credentials not found in native keychain"
_TOKEN = "<token>"  # noqa: S105

_NAMED_ALONE_SINCE = (1, 11)
"""The skopeo with containers/image 5.24; up to 5.23 the files of the home count beside the one that is named."""

_NONE = Credentials()
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

log = Logger()


class HostCredentialsFailed(HostError):
    """Nobody has credentials, and not all could be asked."""

    cause = "the credentials of this host cannot be read"
    docker = libpod = "{cause}: {subject}"


class BadAuthFile(HostCredentialsFailed):
    """The subject names the file."""

    cause = "invalid file of credentials"


class CredentialHelperFailed(HostCredentialsFailed):
    """The subject names program and registry."""

    cause = "credential helper failed"


class _Entry(Struct, frozen=True):
    auth: str
    identity_token: str


class _AuthFile(Struct, frozen=True):
    """What counts of one file.

    Attributes:
        auths: by registry, or by what is below one.
        helpers: by registry, the one program that is asked for it.
    """

    auths: Mapping[str, _Entry] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)


class HostCredentials:
    """
    Args:
        named: auth.json instead of the host's; with an old skopeo those of the home come after it.
        registries: registries.conf instead of the host's.
        proxies: environment variables for the helpers, which may ask a service in the network.
        runtime: the host's first auth.json.
        home: the directory that has the others.
    """

    def __init__(
        self,
        programs: Programs,
        in_thread: InThread,
        named: Path | None,
        registries: Path | None,
        proxies: Mapping[str, str] | None = None,
        *,
        runtime: Path = RUNTIME_AUTHFILE,
        home: Path = HOME,
        helper_limit: float = HELPER_LIMIT,
    ) -> None:
        self._programs = programs
        self._in_thread = in_thread
        self._named = named
        self._registries = registries
        self._proxies = dict(proxies or {})
        self._runtime = runtime
        self._home = home
        self._helper_limit = helper_limit

    async def find(self, location: str) -> Credentials | None:
        """Those for `HOST[:PORT]/PATH`, where a registry or a mirror of it has the repository; None without any.

        Raises:
            HostCredentialsFailed: nobody has any, and not all could be asked.
            BadRegistriesConf
            HostError: skopeo, whose version says which files count, cannot be run.
        """
        registry = location.partition("/")[0]
        failures: list[HostCredentialsFailed] = []
        for helper in await self._in_thread(lambda: _helpers(self._registries)):
            try:
                asked = self._in_files(location) if helper == _AUTH_FILES else self._ask(helper, registry)
                credentials = await asked
            except HostCredentialsFailed as failure:
                failures.append(failure)
                continue
            if credentials != _NONE:
                for each in failures:
                    log.warn("{failure}; others had credentials", failure=each)
                return credentials
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise HostCredentialsFailed("; ".join(f"{each.cause}: {each.subject}" for each in failures))
        return None

    async def _in_files(self, location: str) -> Credentials:
        first = await self._in_file(self._named or self._runtime, location)
        if first != _NONE or (self._named is not None and await self._named_alone()):
            return first
        for name in _BELOW_HOME:
            credentials = await self._in_file(self._home / name, location)
            if credentials != _NONE:
                return credentials
        return await self._in_file(self._home / _LEGACY, location, legacy=True)

    async def _named_alone(self) -> bool:
        done = await self._programs.run(["skopeo", "--version"], time_limit=10.0, stdout_limit=65536)
        version = parse_version(done.stdout.decode(errors="replace"))
        return version is None or version_numbers(version) >= _NAMED_ALONE_SINCE

    async def _in_file(self, path: Path, location: str, *, legacy: bool = False) -> Credentials:
        registry = location.partition("/")[0]
        file = await self._in_thread(lambda: _read(path, legacy))
        if registry in file.helpers:
            return await self._ask(file.helpers[registry], registry)
        key = _key(file.auths, [registry] if legacy else _from_most_specific(location), legacy)
        return _NONE if key is None else _decoded(file.auths[key], registry, path)

    async def _ask(self, helper: str, registry: str) -> Credentials:
        """What a program has for a registry, of which it hears no more than the name.

        Its protocol is https://github.com/docker/docker-credential-helpers (client/client.go). What it says when it
        fails may hold anything, so that nobody is told.
        """
        program = f"docker-credential-{helper}"

        def failed(why: str) -> CredentialHelperFailed:
            return CredentialHelperFailed(f"{program} for {registry}: {why}")

        if "/" in helper or "\0" in helper:
            raise failed("it is searched in PATH, where this is no name")
        try:
            done = await self._programs.run(
                [program, "get"],
                stdin=registry.encode(),
                env=self._proxies,
                time_limit=self._helper_limit,
                stdout_limit=_ANSWER_LIMIT,
                ok_codes=None,
            )
        except ProgramMissing:
            raise failed("it is not installed or not executable") from None
        except ProgramFailed as error:
            raise failed(error.why) from None
        except HostError as error:
            raise failed(error.subject) from None
        said = done.stdout.decode(errors="replace").strip()
        if done.code == 0:
            try:
                return _answered(said)
            except (ValueError, RecursionError):
                raise failed("its answer is no JSON object of ServerURL, Username and Secret") from None
        if said == _NOT_FOUND:
            return _NONE
        raise failed(f"exit status {done.code}; `echo {registry} | {program} get` shows what it says")


def _helpers(main: Path | None) -> Sequence[str]:
    """Who is asked, in order; blocks. The last file that lists any counts alone.

    So does `updateWithConfigurationFrom` in pkg/sysregistriesv2 of containers/image.
    """
    if main is not None and not main.exists():
        raise BadRegistriesConf(f"{main}: there is no such file")
    helpers: list[str] = []
    for file in registries_conf.files(main):
        # Its reader of TOML takes a key in any case.
        listed = _fields(registries_conf.read(file), str(file)).get("credential-helpers", helpers)
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise BadRegistriesConf(f"{file}: credential-helpers is not a list of strings")
        helpers = listed
    return helpers or [_AUTH_FILES]


def _read(path: Path, legacy: bool) -> _AuthFile:
    """An auth file, empty where there is none; blocks."""
    try:
        text = path.read_bytes().decode(errors="replace")  # as Go's decoder has it
    except FileNotFoundError:
        return _AuthFile()
    except OSError as error:
        raise BadAuthFile(f"{path}: {error.strerror}") from None
    try:
        content = json.loads(text, parse_constant=_no_json)
        if legacy:
            return _AuthFile(_entries(content, "the file"))
        fields = _fields(content, "the file")
        helpers = _object(fields.get("credhelpers"), "credHelpers")
        return _AuthFile(
            _entries(fields.get("auths"), "auths"),
            {key: _text(helper, "a helper") for key, helper in helpers.items()},
        )
    except (ValueError, RecursionError) as error:
        raise BadAuthFile(f"{path}: {error}") from None


def _answered(said: str) -> Credentials:
    """Of the first JSON value in what a helper said: Go's decoder reads no further."""
    fields = _fields(json.JSONDecoder(parse_constant=_no_json).raw_decode(said)[0], "the answer")
    _, username, secret = (_text(fields.get(name), name) for name in ("serverurl", "username", "secret"))
    return Credentials(identity_token=secret) if username == _TOKEN else Credentials(username, secret)


def _key(auths: Mapping[str, _Entry], keys: Sequence[str], legacy: bool) -> str | None:
    """The key of the entry that counts, the last of `keys` being the registry: one of them, or a URL of its."""
    registry = _canonical(keys[-1])
    exact = (key for key in keys if key in auths)
    return next(exact, None) or next((key for key in auths if _registry_of(key, legacy) == registry), None)


def _from_most_specific(location: str) -> list[str]:
    """`host/ns/box`, `host/ns`, `host`."""
    parts = location.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _registry_of(key: str, legacy: bool) -> str:
    """What an old `docker login` wrote as a URL, with or without `/v1/`; another key with a path is a namespace."""
    bare = key.removeprefix("http://").removeprefix("https://")
    return _canonical(bare.partition("/")[0] if legacy or bare != key else bare)


def _canonical(registry: str) -> str:
    return "index.docker.io" if registry in ("registry-1.docker.io", "docker.io") else registry


def _decoded(entry: _Entry, registry: str, path: Path) -> Credentials:
    auth = entry.auth.replace("\r", "").replace("\n", "")
    if not _BASE64.fullmatch(auth):
        raise BadAuthFile(f"{path}: the auth for {registry} is not base64")
    username, colon, password = base64.b64decode(auth).partition(b":")
    if not colon:
        if username:
            log.warn("{path}: the auth for {registry} has no colon", path=str(path), registry=registry)
        return _NONE  # and no less specific entry of this file counts
    try:
        return Credentials(username.decode(), password.strip(b"\0").decode(), entry.identity_token)
    except UnicodeDecodeError:
        raise BadAuthFile(f"{path}: the auth for {registry} is not UTF-8") from None


def _entries(value: Any, what: str) -> dict[str, _Entry]:
    entries = {}  # what is wrong with one is told without its key, which may be a URL with a password
    for key, each in _object(value, what).items():
        fields = _fields(each, "an entry")
        auth, token = (_text(fields.get(name), f"an {name}") for name in ("auth", "identitytoken"))
        entries[key] = _Entry(auth, token)
    return entries


def _object(value: Any, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def _fields(value: Any, what: str) -> dict[str, Any]:
    """By name in lower case: Go's decoder takes them in any."""
    return {name.casefold(): each for name, each in _object(value, what).items()}


def _text(value: Any, what: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{what} is no string")
    return _LONE_SURROGATE.sub("\ufffd", value)


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

"""skopeo: copies images into the store, and between it and registries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field

from apiserver.drivers.process import STDERR_SHOWN, Child, ProgramFailed, Programs, Sink

_FATAL = re.compile(r'level=fatal msg=(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_LOGGED = re.compile(r'time="[^"]*" level=(?:debug|info) ')
_GONE = ("does not resolve to an image ID", "layer not known", "image not known")
_THROTTLED = b"Too many requests to "
MANIFEST_LIMIT = 4 * 1024 * 1024
"""Bytes of a manifest: containers/image has the same limit."""

_TAGS_LIMIT = 32 * 1024 * 1024
"""Bytes of a list of tags: 200,000 of the longest."""

_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""Begins the command line of what dies with us: nobody else would ever end it, or know what it did."""

_ASKS = re.compile(rb'time="[^"]*" level=debug msg="([A-Z]+) (https?://[^"]*)"')
_SKIPPED = re.compile(rb'msg="Skipping blob (sha\d+:[0-9a-f]+) \(already present\)')
_ESCAPED = re.compile(r"\\([ntr])|\\(.)")


class StoreAddress(Struct, frozen=True):
    """A containers/storage overlay store, and the files that keep skopeo and buildah from the host's own.

    Attributes:
        policy: policy.json: which signatures are asked for.
        registries: registries.conf.
        storage: storage.conf: without one, the host's would add its mount options and further stores.
    """

    root: Path
    runroot: Path
    policy: Path
    registries: Path
    storage: Path

    def environment(self, temporary: Path) -> Mapping[str, str]:
        return {"CONTAINERS_STORAGE_CONF": str(self.storage), "TMPDIR": str(temporary)}


class RegistryFiles(Struct, frozen=True):
    """What skopeo is told about registries in general; None is what it finds itself.

    Attributes:
        policy: policy.json.
        registries: registries.conf; registries.conf.d of the host counts in any case.
        auth: auth.json.
        signatures: registries.d.
        proxies: environment variables that say which proxy leads to them.
    """

    policy: Path | None = None
    registries: Path | None = None
    auth: Path | None = None
    signatures: Path | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)


class RegistryCall(Struct, frozen=True):
    """What skopeo is told about one call.

    Attributes:
        credentials: it may take those of `files`, or the host's.
        tls_verify: False also allows plain HTTP; None leaves it to registries.conf.
        platform: OS, architecture, variant; empty for this machine's.
        temporary: where blobs are put meanwhile.
        started: gets the child, to watch it.
    """

    files: RegistryFiles
    temporary: Path
    credentials: bool = True
    tls_verify: bool | None = None
    platform: tuple[str, str, str] = ("", "", "")
    started: Callable[[Child], object] | None = None

    def head(self, fallback_policy: Path) -> list[str]:
        """Everything before the subcommand."""
        words = ["skopeo", "--policy", str(self.files.policy or fallback_policy), "--tmpdir", str(self.temporary)]
        if self.files.registries is not None:
            words += ["--registries-conf", str(self.files.registries)]
        if self.files.signatures is not None:
            words += ["--registries.d", str(self.files.signatures)]
        for option, value in zip(("os", "arch", "variant"), self.platform, strict=True):
            words += [f"--override-{option}", value] if value else []
        return words

    def side(self, prefix: str) -> list[str]:
        """The options of a subcommand; `prefix` is `src-`, `dest-` or nothing."""
        if not self.credentials:
            words = [f"--{prefix}no-creds"]
        else:
            words = [] if self.files.auth is None else [f"--{prefix}authfile", str(self.files.auth)]
        if self.tls_verify is not None:
            words.append(f"--{prefix}tls-verify={'true' if self.tls_verify else 'false'}")
        return words


class Skopeo:
    def __init__(self, programs: Programs, store: StoreAddress) -> None:
        self._programs = programs
        self._store = store

    async def copy_into_store(self, source: str, name: str, *, temporary: Path, time_limit: float) -> None:
        """Copy one image into the store under a canonical name, which moves to it.

        Args:
            source: `docker-archive:FILE:@N` or `oci:DIRECTORY`.
            temporary: where skopeo puts blobs meanwhile; what it leaves there when it is killed is the caller's.
            time_limit: seconds.

        Raises:
            ProgramFailed: `reason` tells why.
        """
        store = self._store
        await self._programs.run(
            [
                *_WITH_US,
                self._programs.find("skopeo"),
                *("--policy", str(store.policy), "--registries-conf", str(store.registries)),
                *("--tmpdir", str(temporary)),
                *("copy", "-q", source, f"containers-storage:[overlay@{store.root}+{store.runroot}]{name}"),
            ],
            env=store.environment(temporary),
            time_limit=time_limit,
        )

    async def copy_from_store(
        self,
        image_id: str,
        target: str,
        *,
        temporary: Path,
        said: Sink,
        started: Callable[[Child], object],
        options: Sequence[str] = (),
    ) -> None:
        """Copy an image of the store to a file or a directory, however long that takes.

        Args:
            target: `docker-archive:/dev/stdout`, `oci:DIRECTORY[:NAME]` or `dir:DIRECTORY`.
            temporary: where skopeo puts one layer after the other meanwhile, uncompressed.
            said: gets what comes on its standard output, which is the archive where `target` says so.
            started: gets the child, to wait for its end.
            options: more of `skopeo copy`.

        Raises:
            ProgramFailed: `reason` tells why.
        """
        store = self._store
        await self._programs.run(
            [
                *_WITH_US,
                self._programs.find("skopeo"),
                *("--policy", str(store.policy), "--registries-conf", str(store.registries)),
                *("--tmpdir", str(temporary), "copy", "-q", *options),
                *(f"containers-storage:[overlay@{store.root}+{store.runroot}]@{image_id}", target),
            ],
            env=store.environment(temporary),
            stdout=said,
            time_limit=None,
            started=started,
        )

    async def raw_manifest(self, reference: str, call: RegistryCall) -> bytes:
        """The manifest, or list of manifests, of `HOST/PATH:TAG` or `...@DIGEST` as its registry has it.

        Raises:
            ProgramFailed: `reason` tells why.
        """
        return await self._run(call, ["inspect", "--raw", *call.side(""), f"docker://{reference}"], None)

    async def list_tags(self, repository: str, call: RegistryCall) -> Sequence[str]:
        """The tags of `HOST/PATH`, which has neither tag nor digest, in the order of its registry.

        Raises:
            ProgramFailed: `reason` tells why.
        """
        words = ["list-tags", *call.side(""), f"docker://{repository}"]
        said = await self._run(call, words, None, limit=_TAGS_LIMIT)
        return msgspec.json.decode(said, type=_TagList).Tags or ()

    async def copy_from_registry(
        self, reference: str, name: str, call: RegistryCall, said: Sink, skips: Callable[[str], object]
    ) -> None:
        """Copy an image into the store under a canonical name, which moves to it.

        Args:
            said: gets skopeo's lines, `Copying blob sha256:...` among them.
            skips: called with the digest of each blob that is in the store already, so that it need not come.

        Raises:
            ProgramFailed: `reason` tells why.
        """

        def logged(line: bytes) -> None:
            if found := _SKIPPED.search(line):
                skips(found[1].decode())

        target = f"containers-storage:[overlay@{self._store.root}+{self._store.runroot}]{name}"
        await self._run(call, ["copy", *call.side("src-"), f"docker://{reference}", target], said, logged=logged)

    async def copy_to_registry(
        self,
        image_id: str,
        reference: str,
        call: RegistryCall,
        said: Sink,
        asks: Callable[[str, str], object],
        skips: Callable[[str], object],
        options: Sequence[str] = (),
    ) -> None:
        """Copy an image of the store to `HOST/PATH:TAG`.

        Args:
            asks: called with method and URL of each request.
            skips: called with the diff digest of each layer that the registry has, so that it need not be sent.
            options: more of `skopeo copy`, `--digestfile FILE` for one.

        Raises:
            ProgramFailed: `reason` tells why.
        """

        def logged(line: bytes) -> None:
            if found := _ASKS.match(line):
                asks(found[1].decode(), found[2].decode())
            elif found := _SKIPPED.search(line):
                skips(found[1].decode())

        source = f"containers-storage:[overlay@{self._store.root}+{self._store.runroot}]@{image_id}"
        words = ["copy", *call.side("dest-"), *options, source, f"docker://{reference}"]
        await self._run(call, words, said, logged=logged)

    async def login(self, host: str, username: str, password: str, call: RegistryCall) -> None:
        """Let a registry look at credentials, and keep them in the call's auth.json.

        Raises:
            ProgramFailed: `reason` tells why.
        """
        words = ["login", *call.side(""), "--username", username, "--password-stdin", host]
        await self._run(call, words, None, password.encode())

    def _environment(self, call: RegistryCall) -> Mapping[str, str]:
        return {**call.files.proxies, **self._store.environment(call.temporary)}

    async def _run(
        self,
        call: RegistryCall,
        words: list[str],
        said: Sink | None,
        stdin: bytes | None = None,
        logged: Callable[[bytes], object] = lambda _: None,
        limit: int = MANIFEST_LIMIT + 1,
    ) -> bytes:
        done = await self._programs.run(
            [*_WITH_US, *call.head(self._store.policy), "--debug", *words],  # only so does it say what it waits for
            env=self._environment(call),
            stdin=stdin,
            stdout=said,
            time_limit=None,
            started=call.started,
            stdout_limit=limit,
            heard=_by_line(logged),
        )
        return done.stdout


class _TagList(Struct, frozen=True):
    """What `list-tags` writes."""

    Tags: tuple[str, ...] | None


def _by_line(take: Callable[[bytes], object]) -> Callable[[bytes], None]:
    rest = b""

    def heard(text: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + text).split(b"\n")
        for line in lines:
            take(line)

    return heard


def reason(error: ProgramFailed) -> str:
    """What skopeo itself said last, without its log's frame, on one line."""
    if said := _FATAL.findall(error.stderr.decode(errors="replace")):
        quoted, bare = said[-1]
        return _ESCAPED.sub(lambda found: " " if found[1] else found[2], quoted) or bare
    # The first line may be the rest of a longer one.
    text = error.stderr[-STDERR_SHOWN:].decode(errors="replace")
    told = [line for line in text.splitlines()[1:] if line.strip() and not _LOGGED.match(line)]
    return f"skopeo: {error.why}" + "".join(f": {line}" for line in told)


def is_gone(said: str) -> bool:
    """Whether what `reason` gave tells that the store has not got an image, or a layer of it."""
    return any(words in said for words in _GONE)


def is_throttled(error: ProgramFailed) -> bool:
    """Whether it had waited at its end since the registry answered 429."""
    lines = error.stderr.splitlines()
    return bool(lines) and _THROTTLED in lines[-1]

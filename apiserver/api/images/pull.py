"""Images from registries."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from apiserver.api.images.credentials import dockers_credentials, in_dockers_words, sent_credentials
from apiserver.engine.images.lookup import is_id_of, is_short
from apiserver.engine.images.platform import check_platform, fits, parse_platform
from apiserver.engine.images.pull import Pull, Pulls
from apiserver.engine.images.service import Images
from apiserver.engine.names import LIBPOD_NAMES, Reference, parse_reference
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import Platform, RegistryAccess
from apiserver.engine.system import System
from apiserver.errors import (
    EngineError,
    NoSuchImage,
    NotImplementedYet,
    RegistryError,
    ShortNameUnresolved,
)
from apiserver.http.app import group_app
from apiserver.http.flavour import Flavour
from apiserver.http.query import given, libpod_bool, string
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.http.stream import Stream, open_stream
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker import pull as docker
from apiserver.wire.libpod import pull as libpod
from apiserver.wire.progress import error_line


class ImagePullGroup:
    """Images from registries."""

    app = group_app()

    def __init__(self, images: Images, pulls: Callable[[], Pulls], system: System) -> None:
        self._images = images
        self._pulls = pulls
        self._system = system

    @app.route("/images/create", methods=["POST"], query="fromImage")
    async def docker_pull(self, request: Request) -> None:
        asked = docker.pulled_reference(string(request, "fromImage") or "", string(request, "tag"))
        platform = string(request, "platform") or ""
        wanted = Platform(*parse_platform(platform))
        access = docker.registry_access(asked, dockers_credentials(request))
        with in_dockers_words(docker.access_denied(asked)):
            references = await self._all_of(asked, access)
        stream: Stream | None = None
        newer, unchosen = False, ""
        try:
            for reference in references:
                pull = self._pulls().join(reference, access, wanted)
                try:
                    with in_dockers_words(docker.access_denied(reference)):
                        found = await pull.found()
                    stream = stream or open_stream(request, "application/json")
                    await _docker_lines(stream, reference, pull)
                    newer = newer or pull.pulled.newer
                    if reference == asked.tagged() and not found.platform.os:
                        unchosen = pull.pulled.image_id  # there was no list to choose from
                finally:
                    pull.leave()
            stream = stream or open_stream(request, "application/json")
            await stream.write_json(docker.last_line(asked, newer=newer))
            if platform and unchosen:
                check_platform(asked.familiar, await self._images.find(unchosen), platform)
        except EngineError as error:
            if stream is None:
                raise
            await stream.write_json(error_line(Flavour.DOCKER.words(error)))  # the status is out already

    @app.route("/libpod/images/pull", methods=["POST"])
    async def libpod_pull(self, request: Request) -> bytes | None:
        asked = _asked(request, self._system.host.architecture)
        found = await self._image_or_reference(asked)
        if isinstance(found, Image):
            return reply_json(request, asked.last_line(found.id))
        reference, resolved = found
        pull = self._pulls().join(reference, asked.access, asked.platform)
        try:
            await pull.found()
            if asked.quiet:  # nothing goes out before the end, so that an error has its status
                while await pull.progress() is not None:
                    pass
                return reply_json(request, asked.last_line(pull.pulled.image_id))
            stream = open_stream(request, "application/json")
            if asked.compat:
                await _compat_lines(stream, reference.exact(), pull)
            elif await _libpod_lines(stream, asked.lines, reference.exact(), pull, resolved=resolved):
                image = await self._images.find(pull.pulled.image_id)
                for line in asked.lines.written(image.id):
                    await stream.write_json(line)
                if not fits(image, asked.platform_text, self._system.host.architecture):
                    await stream.write_json(asked.lines.other_platform(image, asked.platform))
                await stream.write_json(asked.last_line(image.id))
            return None
        finally:
            pull.leave()

    async def _all_of(self, asked: Reference, access: RegistryAccess) -> Sequence[Reference]:
        """What a Docker client means: without tag and digest all tags that the registry has.

        Raises:
            as `Registry.tags`
        """
        if asked.tag or asked.digest:
            return (asked,)
        tags = await self._pulls().registry.tags(asked, access)
        return [parse_reference(f"{asked.canonical}:{tag}") for tag in tags]

    async def _image_or_reference(self, asked: _Asked) -> Image | tuple[Reference, str]:
        """The image that is here, where the policy is content with it; else what to pull, and what to say before."""
        policy = asked.policy
        here = None if policy is libpod.Policy.ALWAYS else await self._here(asked.name, asked.platform_text)
        if asked.platform_text and policy is libpod.Policy.MISSING:
            policy = libpod.Policy.NEWER  # as Podman has it: what an image says of its platform may be wrong
        if here is not None and (policy is not libpod.Policy.NEWER or is_id_of(here, asked.name)):
            return here
        if policy is libpod.Policy.NEVER:
            raise NoSuchImage(asked.name)
        try:
            name, resolved = await self._full_name(asked)
            reference = parse_reference(name)
            if here is None or await self._pulls().differs(here, reference, asked.access, asked.platform):
                return reference, resolved
        except (RegistryError, ShortNameUnresolved):
            if here is None:
                raise
        return here  # `newer` is content with it also where no registry can say

    async def _here(self, name: str, platform: str) -> Image | None:
        """The image that a name means, where it is for that platform; who says an id knows what it is."""
        try:
            image = await self._images.find(name, LIBPOD_NAMES)
        except NoSuchImage:
            return None
        return image if is_id_of(image, name) or fits(image, platform, self._system.host.architecture) else None

    async def _full_name(self, asked: _Asked) -> tuple[str, str]:
        """A short name is pulled from where the image came from that has it here, as Podman does.

        Not where a platform is asked for; and what is in `localhost/` came from no registry.

        Returns:
            also how it was resolved, where it was.
        """
        if not is_short(asked.name):
            return asked.name, ""
        if not asked.platform_text:
            try:
                _, stored = (await self._images.lookup()).find_named(asked.name, LIBPOD_NAMES)
            except NoSuchImage:
                stored = ""
            if stored and not stored.startswith("localhost/"):
                return stored, ""
        return await self._resolve(asked.name)

    async def _resolve(self, name: str) -> tuple[str, str]:
        """The one full name of a short one; several are nobody's to choose from, and least of all who answers first."""
        meant = await self._pulls().registry.short_name(name)
        if len(meant.candidates) != 1:
            raise ShortNameUnresolved(libpod.unresolved(name, meant))
        return meant.candidates[0], libpod.resolved(meant)


class _Asked(Struct, frozen=True):
    """A pull as a libpod client asks for it.

    Attributes:
        platform_text: `os/architecture/variant`, as far as the client says; empty where it leaves it to this machine.
        quiet: one answer at the end, with the status.
        compat: Docker's lines.
        lines: of the answer that is neither.
    """

    name: str
    policy: libpod.Policy
    platform_text: str
    access: RegistryAccess
    quiet: bool
    compat: bool
    lines: libpod.PullLines

    @property
    def platform(self) -> Platform:
        return Platform(*parse_platform(self.platform_text))

    def last_line(self, image_id: str) -> JsonObject:
        return libpod.last_line(image_id) if self.quiet or self.compat else self.lines.last(image_id)


def _platform_text(parts: Sequence[str], own_architecture: str) -> str:
    system, architecture, variant = parts
    if not any(parts):
        return ""
    if variant and not architecture:
        architecture = own_architecture
    return "/".join((system or "linux", architecture, variant)).rstrip("/")


def _asked(request: Request, own_architecture: str) -> _Asked:
    """
    Raises:
        InvalidParameter, NotImplementedYet
    """
    if libpod_bool(request, "allTags"):
        raise NotImplementedYet("pulling all tags (allTags)")
    parts = [string(request, part) or "" for part in ("OS", "Arch", "Variant")]
    tls_verify = libpod_bool(request, "tlsVerify") if given(request, "tlsVerify") else None
    quiet, compat = libpod_bool(request, "quiet"), libpod_bool(request, "compatMode")
    progress = libpod_bool(request, "pullProgress")
    libpod.check_form(quiet=quiet, compat=compat, progress=progress)
    asked = _Asked(
        name=libpod.bare_reference(string(request, "reference") or ""),
        policy=libpod.policy(string(request, "policy")),
        platform_text=_platform_text(parts, own_architecture),
        access=RegistryAccess(sent_credentials(request), tls_verify),
        quiet=quiet,
        compat=compat,
        lines=libpod.PullLines(request.version, progress=progress),
    )
    parse_platform(asked.platform_text)
    return asked


async def _docker_lines(stream: Stream, reference: Reference, pull: Pull) -> None:
    """All but the last one.

    Raises:
        as `Visit.fetch`
    """
    await stream.write_json(docker.first_line(reference))
    layers = docker.LayerLines(whole=pull.whole)
    while (news := await pull.progress()) is not None:
        for each in news:
            for line in layers.lines(each):
                await stream.write_json(line)
    await stream.write_json(docker.digest_line(pull.pulled.digest))


async def _compat_lines(stream: Stream, reference: Reference, pull: Pull) -> None:
    try:
        await _docker_lines(stream, reference, pull)
    except EngineError as error:  # the status is out already
        await stream.write_json(error_line(Flavour.DOCKER.words(error)))
        return
    await stream.write_json(docker.last_line(reference, newer=pull.pulled.newer))
    await stream.write_json(libpod.last_line_of_compat(pull.pulled.image_id))


async def _libpod_lines(
    stream: Stream, lines: libpod.PullLines, reference: Reference, pull: Pull, *, resolved: str
) -> bool:
    """Whether it came to a good end."""
    try:
        for line in lines.first(reference.canonical, resolved):
            await stream.write_json(line)
        while (news := await pull.progress()) is not None:
            for each in news:
                for line in lines.layer(each):
                    await stream.write_json(line)
    except EngineError as error:  # the status is out already
        await stream.write_json(lines.error(Flavour.LIBPOD.words(error)))
        return False
    return True

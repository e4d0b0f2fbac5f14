"""Images from registries."""

from __future__ import annotations

from collections.abc import Callable

from apiserver.api.images.credentials import in_dockers_words, sent_credentials
from apiserver.engine.images.lookup import is_id_of, is_short
from apiserver.engine.images.platform import OtherPlatform, check_platform, fits, parse_platform
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
        reference = docker.pulled_reference(string(request, "fromImage") or "", string(request, "tag"))
        platform = string(request, "platform") or ""
        system, architecture, variant = parse_platform(platform)
        access = docker.registry_access(reference, sent_credentials(request))
        pull = self._pulls().join(reference, access, Platform(system, architecture, variant))
        try:
            with in_dockers_words(docker.access_denied(reference)):
                found = await pull.found()
            stream = open_stream(request, "application/json")
            if await _docker_lines(stream, reference, pull) and platform and not found.platform.os:
                try:  # there was no list to choose from
                    check_platform(reference.familiar, await self._images.find(pull.pulled.image_id), platform)
                except OtherPlatform as error:
                    await stream.write_json(error_line(Flavour.DOCKER.words(error)))
        finally:
            pull.leave()

    @app.route("/libpod/images/pull", methods=["POST"])
    async def libpod_pull(self, request: Request) -> bytes | None:
        name = libpod.bare_reference(string(request, "reference") or "")
        policy = libpod.policy(string(request, "policy"))
        if libpod_bool(request, "allTags"):
            raise NotImplementedYet("pulling all tags (allTags)")
        parts = [string(request, part) or "" for part in ("OS", "Arch", "Variant")]
        asked = "/".join([parts[0] or "linux", *parts[1:]]).rstrip("/") if any(parts) else ""
        platform = Platform(*parse_platform(asked))
        tls_verify = libpod_bool(request, "tlsVerify") if given(request, "tlsVerify") else None
        access = RegistryAccess(sent_credentials(request), tls_verify)
        quiet, compat = libpod_bool(request, "quiet"), libpod_bool(request, "compatMode")
        progress = libpod_bool(request, "pullProgress")
        libpod.check_form(quiet=quiet, compat=compat, progress=progress)
        lines = libpod.PullLines(request.version, progress=progress)
        last_line = libpod.last_line if quiet or compat else lines.last

        here = None if policy is libpod.Policy.ALWAYS else await self._here(name, asked)
        if asked and policy is libpod.Policy.MISSING:
            policy = libpod.Policy.NEWER  # as Podman has it: what an image says of its platform may be wrong
        if here is not None and (policy is not libpod.Policy.NEWER or is_id_of(here, name)):
            return reply_json(request, last_line(here.id))
        if policy is libpod.Policy.NEVER:
            raise NoSuchImage(name)
        try:
            full = await self._resolve(name) if is_short(name) else name
            reference = parse_reference(full).exact()
            newer = here is None or await self._pulls().differs(here, reference, access, platform)
        except (RegistryError, ShortNameUnresolved):
            if here is None:
                raise
            newer = False  # `newer` is content with what is here
        if here is not None and not newer:
            return reply_json(request, last_line(here.id))
        pull = self._pulls().join(reference, access, platform)
        try:
            await pull.found()
            if quiet:  # nothing goes out before the end, so that an error has its status
                while await pull.progress() is not None:
                    pass
                return reply_json(request, last_line(pull.pulled.image_id))
            if compat:
                stream = open_stream(request, "application/json")
                if await _docker_lines(stream, reference, pull):
                    await stream.write_json(libpod.last_line_of_compat(pull.pulled.image_id))
            else:
                stream = open_stream(request, "application/json")
                if await _libpod_lines(stream, lines, reference, pull):
                    image = await self._images.find(pull.pulled.image_id)
                    if not fits(image, asked, self._system.host.architecture):
                        await stream.write_json(lines.other_platform(image, platform))
                    await stream.write_json(last_line(image.id))
            return None
        finally:
            pull.leave()

    async def _here(self, name: str, platform: str) -> Image | None:
        """The image that a name means, where it is for that platform; who says an id knows what it is."""
        try:
            image = await self._images.find(name, LIBPOD_NAMES)
        except NoSuchImage:
            return None
        return image if is_id_of(image, name) or fits(image, platform, self._system.host.architecture) else None

    async def _resolve(self, name: str) -> str:
        """The one full name of a short one; several are nobody's to choose from, and least of all who answers first."""
        found = await self._pulls().registry.candidates(name)
        if len(found) != 1:
            raise ShortNameUnresolved(libpod.unresolved(name, found))
        return found[0]


async def _docker_lines(stream: Stream, reference: Reference, pull: Pull) -> bool:
    """Whether it came to a good end."""
    await stream.write_json(docker.first_line(reference))
    layers = docker.LayerLines()
    try:
        while (news := await pull.progress()) is not None:
            for each in news:
                for line in layers.lines(each):
                    await stream.write_json(line)
    except EngineError as error:  # the status is out already
        await stream.write_json(error_line(Flavour.DOCKER.words(error)))
        return False
    for line in docker.last_lines(reference, pull.pulled):
        await stream.write_json(line)
    return True


async def _libpod_lines(stream: Stream, lines: libpod.PullLines, reference: Reference, pull: Pull) -> bool:
    """Whether it came to a good end."""
    try:
        await stream.write_json(lines.first(reference.canonical))
        while (news := await pull.progress()) is not None:
            for each in news:
                for line in lines.layer(each):
                    await stream.write_json(line)
    except EngineError as error:  # the status is out already
        await stream.write_json(lines.error(Flavour.LIBPOD.words(error)))
        return False
    return True

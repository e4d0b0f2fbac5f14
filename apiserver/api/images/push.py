"""Images to registries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from apiserver.api.images.credentials import dockers_credentials, in_dockers_words, sent_credentials
from apiserver.engine.images.push import Push, Pushes
from apiserver.engine.images.service import Images
from apiserver.engine.names import LIBPOD_NAMES, parse_reference
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import PushFormat, Reference, RegistryAccess
from apiserver.errors import EngineError, NoSuchImage, NotImplementedYet, RegistryError
from apiserver.http.app import group_app
from apiserver.http.flavour import Flavour
from apiserver.http.query import given, integer, libpod_bool, string
from apiserver.http.reply import reply_text
from apiserver.http.request import Request
from apiserver.http.stream import Stream, open_stream
from apiserver.wire.docker import push as docker
from apiserver.wire.docker.pull import pulled_reference, registry_access
from apiserver.wire.libpod import push as libpod
from apiserver.wire.libpod.pull import bare_reference
from apiserver.wire.progress import error_line


class ImagePushGroup:
    """Images to registries."""

    app = group_app()

    def __init__(self, images: Images, pushes: Callable[[], Pushes]) -> None:
        self._images = images
        self._pushes = pushes

    @app.route("/images/<image:name>/push", methods=["POST"])
    async def docker_push(self, request: Request, name: str) -> None:
        if string(request, "platform"):
            raise NotImplementedYet("the option platform (docker push --platform)")
        stream: Stream | None = None
        for reference, image in await self._wanted(name, string(request, "tag")):
            access = registry_access(reference, dockers_credentials(request))
            push = self._pushes().begin(image, reference, access, PushFormat())
            try:
                with in_dockers_words(""):
                    await push.begun()
                if stream is None:
                    stream = open_stream(request, "application/json")
                    await stream.write_json(docker.first_line(reference))
                await _docker_lines(stream, reference, image, push)
            except EngineError as error:
                if stream is None:
                    raise
                await stream.write_json(error_line(Flavour.DOCKER.words(error)))  # the status is out already
                return
            finally:
                push.leave()

    @app.route("/libpod/images/<image:name>/push", methods=["POST"])
    async def libpod_push(self, request: Request, name: str) -> bytes | None:
        quiet, destination = libpod_bool(request, "quiet", True), string(request, "destination") or name
        with _of_a_quiet_push(destination) if quiet else nullcontext():
            return await self._libpod_push(request, name, destination, quiet=quiet)

    async def _libpod_push(self, request: Request, name: str, destination: str, *, quiet: bool) -> bytes | None:
        image = await self._images.find(name, LIBPOD_NAMES)
        reference = parse_reference(bare_reference(destination)).tagged()
        form = libpod.push_format(
            string(request, "format") or "",
            string(request, "compressionFormat") or "",
            integer(request, "compressionLevel", minimum=0, maximum=22),
            remove_signatures=libpod_bool(request, "removeSignatures"),
        )
        tls_verify = libpod_bool(request, "tlsVerify") if given(request, "tlsVerify") else None
        access = RegistryAccess(sent_credentials(request), tls_verify)
        push = self._pushes().begin(image, reference, access, form)
        try:
            if quiet:
                while await push.progress() is not None:
                    pass
                return reply_text(request, libpod.QUIET)
            await push.begun()
            await _libpod_lines(request, image, push)
            return None
        finally:
            push.leave()

    async def _wanted(self, name: str, tag: str | None) -> Sequence[tuple[Reference, Image]]:
        """What is to be pushed: without tag and digest all tags of the repository, by name.

        Raises:
            NotHere, InvalidReference
        """
        named = parse_reference(name)
        if tag or named.tag or named.digest:
            reference = pulled_reference(name, tag)
            return [(reference, await self._local(reference))]
        found = (await self._images.lookup()).in_repository(named.repository)
        if not found:
            raise NotHere(named.familiar)
        return [(parse_reference(stored), image) for image, stored in found]

    async def _local(self, reference: Reference) -> Image:
        """The image that is called so here, and not only begins so."""
        try:
            return await self._images.find(reference.canonical)
        except NoSuchImage:
            raise NotHere(reference.familiar) from None


class NotHere(NoSuchImage):
    """There is nothing to push under this name."""

    docker = "An image does not exist locally with the tag: {subject}"


@contextmanager
def _of_a_quiet_push(destination: str) -> Iterator[None]:
    """Podman says what it was about to do where nothing else is said."""
    try:
        yield
    except (RegistryError, NoSuchImage) as error:
        error.subject = libpod.failed_quietly(destination, error.subject)
        raise


async def _docker_lines(stream: Stream, reference: Reference, image: Image, push: Push) -> None:
    for line in docker.preparing_lines(image):
        await stream.write_json(line)
    while (sent := await push.progress()) is not None:
        for line in docker.sending_lines(image, sent, push.reused):
            await stream.write_json(line)
    for line in docker.last_lines(reference, image, push.manifest, push.reused):
        await stream.write_json(line)


async def _libpod_lines(request: Request, image: Image, push: Push) -> None:
    stream = open_stream(request, "application/json")
    for line in libpod.first_lines(image):
        await stream.write_json(line)
    try:
        while await push.progress() is not None:
            pass
    except EngineError as error:  # the status is out already
        await stream.write_json({"error": Flavour.LIBPOD.words(error)})
        return
    for line in libpod.last_lines(image, push.manifest, request.version):
        await stream.write_json(line)

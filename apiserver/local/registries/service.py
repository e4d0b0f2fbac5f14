"""Registries as this machine reaches them: skopeo, with the host's own configuration of registries."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from msgspec.structs import replace
from twisted.logger import Logger

from apiserver.deferreds import to_the_end
from apiserver.drivers import skopeo
from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.drivers.skopeo import RegistryCall, RegistryFiles, Skopeo
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import (
    Credentials,
    LayerProgress,
    Platform,
    PushFormat,
    Reference,
    RegistryAccess,
    RemoteImage,
    RemoteManifest,
    ShortName,
)
from apiserver.errors import (
    ImageRemovedUnderneath,
    ImageVanished,
    NotImplementedYet,
    RegistryError,
    RegistryFailed,
    RegistrySilent,
    RegistryUnreachable,
)
from apiserver.local.images.copies import Copies
from apiserver.local.images.pulled import PulledFile
from apiserver.local.images.reader import StoreReader
from apiserver.local.images.spool import Spool
from apiserver.local.images.store import ImageStore
from apiserver.local.registries import remote_manifest
from apiserver.local.registries.announced import check_sizes
from apiserver.local.registries.calls import Call, RegistryCalls
from apiserver.local.registries.copy_progress import BytesSent, CopyProgress, growing_files
from apiserver.local.registries.endpoints import Endpoint
from apiserver.local.registries.errors import silence
from apiserver.local.registries.host_credentials import HostCredentialsFailed
from apiserver.local.registries.platforms import wanted
from apiserver.local.registries.promised import config_id, promise
from apiserver.local.registries.registries_conf import short_name
from apiserver.local.registries.reused_layers import ReusedLayers
from apiserver.local.registries.watched import Silent, Watcher
from apiserver.local.threads import InThread

SILENCE_LIMIT = 60.0
"""Seconds without a byte after which a registry is given up."""

T = TypeVar("T")
log = Logger()


class LocalRegistry:
    """Fulfils `Registry`.

    Args:
        host: this machine's.
        silence_limit: seconds without a byte after which a registry is given up.
    """

    def __init__(
        self,
        skopeo: Skopeo,
        programs: Programs,
        files: RegistryFiles,
        reader: StoreReader,
        store: ImageStore,
        pulled: PulledFile,
        spool: Spool,
        in_thread: InThread,
        reactor: Any,
        host: Platform,
        copies: Copies,
        silence_limit: float = SILENCE_LIMIT,
    ) -> None:
        self._skopeo = skopeo
        self._files = files
        self._reader = reader
        self._store = store
        self._pulled = pulled
        self._spool = spool
        self._in_thread = in_thread
        self._host = host
        self._copies = copies
        self._calls = RegistryCalls(programs, files, spool, in_thread)
        self._watcher = Watcher(in_thread, reactor, silence_limit)
        self._silence_limit = silence_limit

    @asynccontextmanager
    async def visit(self, reference: Reference, access: RegistryAccess) -> AsyncGenerator[LocalVisit, None]:
        async with self._calls.reading(reference, access) as call:
            yield LocalVisit(self, call)

    async def look(self, call: Call, platform: Platform) -> RemoteImage:
        """See `Visit.look`."""
        reference = call.reference
        if reference.digest and not reference.digest.startswith("sha256:"):
            raise NotImplementedYet(f"pulling by the digest {reference.digest}, which is not by SHA-256,")
        data = await self._manifest(call, reference.tagged().canonical)
        manifest = remote_manifest.read_manifest(data)
        digest = image_digest = remote_manifest.digest_of(data, reference.digest)
        if reference.digest and reference.digest != digest:
            raise RegistryFailed(f"the registry sent {digest} for {reference.canonical}")
        chosen = Platform()
        if manifest.manifests is not None:
            listed, chosen = remote_manifest.fitting(manifest, wanted(platform, self._host))
            image_digest = listed.digest
            data = await self._manifest(call, f"{reference.repository}@{image_digest}")
            remote_manifest.check_against(listed, data)
            manifest = remote_manifest.read_manifest(data)
        return remote_manifest.remote_image(digest, image_digest, manifest, chosen)

    async def fetch(self, call: Call, image: RemoteImage, watch: Callable[[LayerProgress], None]) -> str:
        """See `Visit.fetch`."""
        reference, call = call.reference, call.of(image.platform)
        present = await self._reader.blobs()
        check_sizes(image, present)
        progress = CopyProgress(image.layers, frozenset(present), watch)
        source = f"{reference.repository}@{image.digest}"
        name = reference.tagged().canonical
        # Each blob is put down as it comes, and then once more, unpacked, in the store.
        await self._spool.make_sure_of_room(
            2 * sum(each.size_bytes for each in image.layers if each.digest not in present)
        )
        before = await self._store.images()
        promised = promise(name, image, before)
        async with self._copies.one(promised):

            def look() -> Mapping[int, int]:
                self._spool.check_room()
                return growing_files(call.skopeo.temporary)

            await self.watched(
                call,
                lambda watched: self._skopeo.copy_from_registry(source, name, watched, progress.said, progress.reused),
                look,
                progress.files,
            )
            image_id = await to_the_end(self._looked_at(image, reference, before))
        progress.done()
        return image_id

    async def tags(self, repository: Reference, access: RegistryAccess) -> Sequence[str]:
        first, *mirrors = await self._calls.listed_at(repository)
        try:
            return await self._tags_at(first, repository, access)
        except (RegistryUnreachable, RegistrySilent) as error:
            for mirror in mirrors:
                try:
                    tags = await self._tags_at(mirror, repository, access)
                except (RegistryError, HostCredentialsFailed) as why:
                    log.warn("the mirror {mirror} has no tags either: {why}", mirror=mirror.location, why=why)
                    continue
                told = "the tags of {name} are those of its mirror {mirror}: {error}"
                log.warn(told, name=repository.canonical, mirror=mirror.location, error=error)
                return tags
            raise

    async def _tags_at(self, endpoint: Endpoint, repository: Reference, access: RegistryAccess) -> Sequence[str]:
        async with self._calls.listing(endpoint, repository, access) as call:
            return await self.watched(call, lambda watched: self._skopeo.list_tags(call.repository, watched))

    async def _looked_at(self, image: RemoteImage, reference: Reference, before: Mapping[str, Image]) -> str:
        """The id of what has come under a reference; what is not as it was announced goes again.

        Somebody may have given the name to another image meanwhile, be it by a pull for another platform.
        """
        name = reference.tagged().canonical
        named, images = await self._reader.id_by_stored_name(name), await self._store.images()
        if named is not None and named not in images and named == config_id(image):
            await self._store.remove_unreadable(named)
            await self._store.undo(before, set(), {name})
            raise remote_manifest.BadManifest("the image's configuration cannot be read")
        came = [
            id_ for id_, one in images.items() if image.image_digest in (one.manifest_digest, *one.manifest_digests)
        ]
        if not came:
            raise ImageVanished(f"{name} was taken from the store while it was pulled")
        image_id = named if named in came else came[-1]
        try:
            check_sizes(image, await self._reader.blobs())
        except RegistryFailed:
            await self._store.undo(before, {image_id}, {name})
            raise
        await self._remember(image_id, f"{reference.repository}@{image.digest}")
        return image_id

    async def _remember(self, image_id: str, name: str) -> None:
        """That a registry knows an image by `repository@digest`."""
        ids = {image_id, *await self._store.images()}
        try:
            await self._in_thread(lambda: self._pulled.add(image_id, name, ids))
        except OSError as error:
            log.warn("the digest of {name} is not kept: {error}", name=name, error=error)

    async def push(
        self,
        image_id: str,
        reference: Reference,
        access: RegistryAccess,
        form: PushFormat,
        watch: Callable[[int], object],
        reused: Callable[[str], object],
    ) -> RemoteManifest:
        async def unheard(_: bytes) -> None:
            """Its lines say what it begins, not what it has done."""

        async with self._calls.writing(reference, access) as call:
            digest_file = call.skopeo.temporary / "digest"
            options = ["--digestfile", str(digest_file), *_form_options(form)]
            sent, layers = BytesSent(call.skopeo.temporary, watch), ReusedLayers(reused)
            name = call.named(reference.tagged().canonical)

            async def copy(watched: RegistryCall) -> None:
                begun = replace(watched, started=sent.also(watched.started))
                try:
                    await self._skopeo.copy_to_registry(
                        image_id, name, begun, unheard, layers.asked, layers.skipped, options
                    )
                except ProgramFailed as error:
                    # A registry may use these words too.
                    if skopeo.is_gone(skopeo.reason(error)) and image_id not in await self._store.images():
                        raise ImageRemovedUnderneath(f"sha256:{image_id}") from None
                    raise

            await self.watched(call, copy, sent.look, sent.seen)
            digest = (await self._in_thread(digest_file.read_text)).strip()
            await to_the_end(self._remember(image_id, f"{reference.repository}@{digest}"))
            manifest = await self._manifest_of_push(call, digest)
            image = (await self._store.images()).get(image_id)
            diff_digests = [each.diff_digest for each in image.layers] if image else []
            return RemoteManifest(digest, len(manifest), layers.mounted(diff_digests, manifest))

    async def _manifest_of_push(self, call: Call, digest: str) -> bytes:
        """What a registry has got; empty where it is not to be had: the push has come to a good end all the same."""
        name = f"{call.reference.repository}@{digest}"
        try:
            return await self._manifest(call, call.named(name))
        except (RegistryError, remote_manifest.BadManifest) as error:
            log.warn("{name} is pushed, but cannot be asked for: {error}", name=name, error=error)
            return b""

    async def login(self, host: str, credentials: Credentials, tls_verify: bool | None) -> None:
        access = RegistryAccess({host.lower(): credentials}, tls_verify)
        async with self._calls.writing(Reference(host, "any"), access) as call:
            await self.watched(
                call,
                lambda watched: self._skopeo.login(call.place, credentials.username, credentials.password, watched),
            )

    async def short_name(self, name: str) -> ShortName:
        return await self._in_thread(lambda: short_name(name, self._files.registries))

    async def watched(
        self,
        call: Call,
        work: Callable[[RegistryCall], Awaitable[T]],
        look: Callable[[], Any] = lambda: None,
        seen: Callable[[Any], object] = lambda _: None,
    ) -> T:
        """Run skopeo; see `Watcher.run`.

        Raises:
            RegistrySilent, and what `Call.error_of` makes of skopeo's failure.
        """
        try:
            return await self._watcher.run(lambda started: work(replace(call.skopeo, started=started)), look, seen)
        except ProgramFailed as error:
            raise await call.error_of(error) from None
        except Silent as error:
            ended = error.__cause__ if isinstance(error.__cause__, ProgramFailed) else None
            raise silence(ended, call.reference, self._silence_limit) from None

    async def _manifest(self, call: Call, name: str) -> bytes:
        return await self.watched(call, lambda watched: self._skopeo.raw_manifest(name, watched))


class LocalVisit:
    """Fulfils `Visit`: with one registries.conf, and one proxy of each registry, for all that it asks."""

    def __init__(self, registry: LocalRegistry, call: Call) -> None:
        self._registry = registry
        self._call = call

    async def look(self, platform: Platform) -> RemoteImage:
        return await self._registry.look(self._call, platform)

    async def fetch(self, image: RemoteImage, watch: Callable[[LayerProgress], None]) -> str:
        return await self._registry.fetch(self._call, image, watch)


def _form_options(form: PushFormat) -> list[str]:
    """Of `skopeo copy`."""
    words = ["--format", form.manifest] if form.manifest else []
    words += ["--dest-compress-format", form.compression] if form.compression else []
    words += [] if form.compression_level is None else ["--dest-compress-level", str(form.compression_level)]
    return words + (["--remove-signatures"] if form.remove_signatures else [])

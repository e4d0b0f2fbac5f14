"""What skopeo is told for one call: the way to a registry, which leads through our proxy where it is let in there."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from twisted.logger import Logger

from apiserver.deferreds import cancelled_after
from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.drivers.registry_proxy.proxies import ProxiedRegistry, RegistryProxies, registry_proxies
from apiserver.drivers.skopeo import RegistryCall, RegistryFiles
from apiserver.engine.ports.registry import Credentials, Platform, Reference, RegistryAccess
from apiserver.errors import EngineError, ImageVanished, NotImplementedYet, RegistryFailed, RegistryForbids
from apiserver.local.images.spool import Spool
from apiserver.local.registries.authfile import write_authfile
from apiserver.local.registries.endpoints import Endpoint, Source, destination, source, write_conf
from apiserver.local.registries.errors import registry_error
from apiserver.local.registries.host_credentials import HostCredentials, HostCredentialsFailed
from apiserver.local.registries.lookaside import write_registries_d
from apiserver.local.threads import InThread

log = Logger()

_AUTHORITIES = {"docker.io": "registry-1.docker.io"}
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})
_POLICY = Path("/etc/containers/policy.json")
_USER_POLICY = Path("/root/.config/containers/policy.json")


def registry_files(environment: Mapping[str, str] = os.environ) -> RegistryFiles:
    """The host's policy.json, and what the environment names, as for Podman: registries.conf, auth.json, proxies.

    Where they name nothing skopeo finds the host's own.
    """
    registries, auth = environment.get("CONTAINERS_REGISTRIES_CONF"), environment.get("REGISTRY_AUTH_FILE")
    return RegistryFiles(
        policy=next((path for path in (_USER_POLICY, _POLICY) if path.exists()), None),
        registries=Path(registries) if registries else None,
        auth=Path(auth) if auth else None,
        proxies={name: value for name, value in environment.items() if name.upper() in _PROXIES},
    )


class Call(Struct, frozen=True):
    """
    Attributes:
        skopeo: what it is told.
        reference: whose registry it is.
        place: `HOST[:PORT]` as skopeo is to call the registry where it writes, logs in or lists tags.
        repository: `HOST[:PORT]/PATH` as it is to call the repository then; like `place` empty where it reads.
        primary: name of the registry that is asked last.
        proxies: None where skopeo goes there itself.
    """

    skopeo: RegistryCall
    reference: Reference
    place: str = ""
    repository: str = ""
    primary: str = ""
    proxies: RegistryProxies | None = None

    def of(self, platform: Platform) -> Call:
        """The same for an image's variant for a platform."""
        wanted = (platform.os, platform.architecture, platform.variant)
        return replace(self, skopeo=replace(self.skopeo, platform=wanted))

    def named(self, name: str) -> str:
        """What `HOST[:PORT]/PATH...` of the reference's repository is where skopeo writes."""
        return self.repository + name.removeprefix(self.reference.repository)

    async def error_of(self, failed: ProgramFailed) -> EngineError:
        """What it is that went wrong when skopeo failed; its proxies are ended, unless it was the store that failed."""
        temporary = self.skopeo.temporary
        if self.proxies is None:
            return registry_error(failed, self.reference, temporary)
        error = registry_error(failed, self.reference, temporary, self.proxies.unmasked)
        if isinstance(error, ImageVanished):
            return error
        await self.proxies.end()
        if (refused := self.proxies.refused.get(self.primary)) is not None:
            return RegistryFailed(refused)
        return registry_error(failed, self.reference, temporary, self.proxies.unmasked)


class RegistryCalls:
    """
    Args:
        files: what the host has configured.
    """

    def __init__(self, programs: Programs, files: RegistryFiles, spool: Spool, in_thread: InThread) -> None:
        self._programs = programs
        self._files = files
        self._spool = spool
        self._in_thread = in_thread
        self._host = HostCredentials(programs, in_thread, files.auth, files.registries, files.proxies)

    @asynccontextmanager
    async def reading(self, reference: Reference, access: RegistryAccess) -> AsyncGenerator[Call, None]:
        """What skopeo is told to read a reference, also more than once.

        Its files and proxies are gone afterwards on every path.

        Raises:
            HostError: the host's configuration cannot be read.
        """
        registries = self._files.registries
        configured = await self._in_thread(lambda: source(reference.repository, registries))
        found = configured.verified(access.tls_verify, access.insecure_host)
        if not reference.digest:
            found = found.by_tag()
        ours = await self._all_credentials(found, reference, access)
        async with self._spool.workplace() as place:
            words = RegistryCall(files=self._files, temporary=place, credentials=False)
            if not ours:
                words = await self._told(words, reference, configured, found, access)
                yield Call(skopeo=words, reference=reference)
                return
            known_at = {each.host for each in ours}
            through = [each for each in found.endpoints if each.host in known_at and not each.blocked]
            async with self._proxies(through, place) as proxies:

                def write() -> RegistryFiles:
                    keys = {_through(each, proxies): known for each, known in ours.items()}
                    hosts = {each.location: proxies.hosts[each.host] for each in through}
                    return replace(
                        self._files,
                        auth=write_authfile(place / "auth.json", keys),
                        registries=write_conf(place / "registries.conf", reference.repository, found, proxies.hosts),
                        signatures=write_registries_d(place / "registries.d", hosts),
                    )

                files = await cancelled_after(self._in_thread(write))
                words = replace(words, files=files, credentials=True)
                yield Call(skopeo=words, reference=reference, primary=found.registry.host, proxies=proxies)

    async def _told(
        self, words: RegistryCall, reference: Reference, configured: Source, found: Source, access: RegistryAccess
    ) -> RegistryCall:
        """The same for `found`, without credentials.

        Args:
            configured: what the host's files say instead.
        """
        ways = (access.tls_verify, False)  # which count for all, mirrors too
        for tls_verify in ways:
            if configured.verified(tls_verify) == found:
                return replace(words, tls_verify=tls_verify)

        def write() -> Path:
            return write_conf(words.temporary / "registries.conf", reference.repository, found, {}, credentials=False)

        try:
            registries = await cancelled_after(self._in_thread(write))
        except NotImplementedYet as error:
            for tls_verify in ways:
                if configured.verified(tls_verify).by_tag() == found:
                    log.warn("mirrors for tags alone are not asked for digests: {error}", error=error)
                    return replace(words, tls_verify=tls_verify)
            raise
        return replace(words, files=replace(words.files, registries=registries))

    @asynccontextmanager
    async def writing(self, reference: Reference, access: RegistryAccess) -> AsyncGenerator[Call, None]:
        """What skopeo is told to write to a repository, or to log in at its registry; otherwise as `reading`.

        Raises:
            RegistryForbids: the host's configuration says that nobody may be asked.
        """
        registries = self._files.registries
        endpoint = await self._in_thread(lambda: destination(reference.repository, registries))
        async with self._at(endpoint, reference, access) as call:
            yield call

    async def listed_at(self, repository: Reference) -> Sequence[Endpoint]:
        """Who may be asked for the tags of a repository, in this order; one at least.

        Raises:
            HostError: the host's configuration cannot be read.
        """
        registries = self._files.registries
        return (await self._in_thread(lambda: source(repository.repository, registries))).listed

    @asynccontextmanager
    async def listing(
        self, endpoint: Endpoint, repository: Reference, access: RegistryAccess
    ) -> AsyncGenerator[Call, None]:
        """What skopeo is told to list the tags that a repository has at a place; otherwise as `reading`.

        For this it asks the host of the name, whatever registries.conf says of it, so the proxy is that place.
        """
        async with self._at(endpoint, repository, access) as call:
            yield call

    @asynccontextmanager
    async def _at(self, endpoint: Endpoint, reference: Reference, access: RegistryAccess) -> AsyncGenerator[Call, None]:
        """What skopeo is told to go to one place, by a proxy that stands for it and whose own name it uses."""
        if endpoint.blocked:
            raise RegistryForbids(f"registry {reference.domain} is blocked in registries.conf")
        endpoint = endpoint.verified(access.tls_verify, access.insecure_host)
        credentials = await self._credentials(endpoint, reference, access)
        async with self._spool.workplace() as place, self._proxies([endpoint], place) as proxies:
            name = _through(endpoint, proxies)

            def write() -> RegistryFiles:
                keys = {} if credentials is None else {name: credentials}
                # So that nothing of the host's counts for it, credential helpers least of all.
                conf = write_conf(place / "registries.conf", name, Source(Endpoint(name, insecure=True)), {})
                hosts = {endpoint.location: proxies.hosts[endpoint.host]}
                return replace(
                    self._files,
                    auth=write_authfile(place / "auth.json", keys),
                    registries=conf,
                    signatures=write_registries_d(place / "registries.d", hosts),
                )

            words = RegistryCall(files=await cancelled_after(self._in_thread(write)), temporary=place, tls_verify=False)
            yield Call(
                skopeo=words,
                reference=reference,
                place=proxies.hosts[endpoint.host],
                repository=name,
                primary=endpoint.host,
                proxies=proxies,
            )

    async def _all_credentials(
        self, found: Source, reference: Reference, access: RegistryAccess
    ) -> Mapping[Endpoint, Credentials]:
        """Those that there are for whom may be asked; a mirror of which they cannot be found out is asked without."""
        ours = {}
        for endpoint in found.endpoints:
            if endpoint.blocked:
                continue
            try:
                known = await self._credentials(endpoint, reference, access)
            except HostCredentialsFailed as failure:
                if endpoint == found.registry:
                    raise
                log.warn("{failure}; the mirror {mirror} gets none", failure=failure, mirror=endpoint.location)
                continue
            if known is not None:
                ours[endpoint] = known
        return ours

    async def _credentials(
        self, endpoint: Endpoint, reference: Reference, access: RegistryAccess
    ) -> Credentials | None:
        """Those of the request for that place, else those of the host."""
        given = access.for_location(endpoint.location, reference)
        if given is not None:
            return given
        return await self._host.find(endpoint.location)

    def _proxies(self, endpoints: Sequence[Endpoint], place: Path) -> AbstractAsyncContextManager[RegistryProxies]:
        """For skopeo whose temporary directory is `place`.

        Args:
            endpoints: all that go by them. A registry is verified unless none of its own has to be.
        """
        hosts = dict.fromkeys(each.host for each in endpoints)
        registries = [
            ProxiedRegistry(
                name=host,
                authority=_AUTHORITIES.get(host, host),
                insecure=all(each.insecure for each in endpoints if each.host == host),
            )
            for host in hosts
        ]
        return registry_proxies(self._programs, registries, self._files.proxies, str(place))


def _through(endpoint: Endpoint, proxies: RegistryProxies) -> str:
    """`HOST[:PORT]/PATH` of an endpoint as it is called through its proxy."""
    return proxies.hosts[endpoint.host] + endpoint.location[len(endpoint.host) :]

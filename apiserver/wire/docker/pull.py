"""A pull as Docker's clients ask for it, and the lines from which they draw their bars."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from apiserver.engine.names import Reference, familiar_repository, parse_reference
from apiserver.engine.ports.registry import Credentials, LayerPhase, LayerProgress, RegistryAccess
from apiserver.jsonvalue import JsonObject

_ID_LENGTH = 12
_STATUS = {
    LayerPhase.WAITING: "Pulling fs layer",
    LayerPhase.PRESENT: "Already exists",
    LayerPhase.DOWNLOADING: "Downloading",
    LayerPhase.DOWNLOADED: "Download complete",
    LayerPhase.COMPLETE: "Pull complete",
}


def pulled_reference(name: str, tag: str | None) -> Reference:
    """What `fromImage` and `tag` name; a tag may be a digest. Without either it is the whole repository.

    Raises:
        InvalidReference
    """
    plain = parse_reference(name.removesuffix(":"))  # which some clients leave there for all tags
    if not tag:
        return plain
    repository = f"{plain.domain}/{plain.path}"
    return parse_reference(f"{repository}@{tag}" if ":" in tag else f"{repository}:{tag}")


def registry_access(reference: Reference, credentials: Mapping[str, Credentials]) -> RegistryAccess:
    """As the Docker Engine: a registry on loopback needs no certificate, nor TLS at all."""
    return RegistryAccess(credentials, insecure_host=reference.domain if on_loopback(reference.domain) else "")


def on_loopback(domain: str) -> bool:
    """Whether a registry is on this machine."""
    host = domain.rpartition(":")[0] if domain.rpartition(":")[2].isdecimal() else domain
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def access_denied(reference: Reference) -> str:
    """Docker's words, by which its clients know that an image may not exist."""
    repository = familiar_repository(reference.repository)
    return (
        f"pull access denied for {repository}, repository does not exist or may require 'docker login': "
        "denied: requested access to the resource is denied"
    )


def first_line(reference: Reference) -> JsonObject:
    return {"status": f"Pulling from {reference.path}", "id": reference.familiar if reference.digest else reference.tag}


class LayerLines:
    """The lines of one client; what it did not see of a layer is made up for, so that each bar has its beginning.

    Args:
        whole: the image is here; then the client hears of those layers alone that come all the same.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self._seen: set[tuple[str, LayerPhase]] = set()

    def lines(self, news: LayerProgress) -> Iterator[JsonObject]:
        name = news.digest.partition(":")[2][:_ID_LENGTH]
        if self._whole and (news.digest, LayerPhase.WAITING) not in self._seen:
            if news.phase is not LayerPhase.DOWNLOADING:
                return
            yield self._line(name, news.digest, LayerPhase.WAITING)
        if news.phase is LayerPhase.COMPLETE:
            if (news.digest, LayerPhase.DOWNLOADED) not in self._seen:
                yield self._line(name, news.digest, LayerPhase.DOWNLOADED)
            bytes_ = {"current": news.total, "total": news.total}
            yield {"status": "Extracting", "progressDetail": bytes_, "id": name}
        detail = {"current": news.current, "total": news.total} if news.phase is LayerPhase.DOWNLOADING else {}
        yield self._line(name, news.digest, news.phase, detail)

    def _line(self, name: str, digest: str, phase: LayerPhase, detail: Mapping[str, int] | None = None) -> JsonObject:
        self._seen.add((digest, phase))
        return {"status": _STATUS[phase], "progressDetail": dict(detail or {}), "id": name}


def digest_line(digest: str) -> JsonObject:
    return {"status": f"Digest: {digest}"}


def last_line(asked: Reference, *, newer: bool) -> JsonObject:
    """One of the sentences that clients look for."""
    what = "Downloaded newer image for" if newer else "Image is up to date for"
    return {"status": f"Status: {what} {asked.familiar}"}

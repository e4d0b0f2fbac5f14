"""Names and ids: the grammar of image references, names of containers, random ids.

The grammar is distribution/reference's (github.com/distribution/reference, `reference.go` and `normalize.go`):
what a Docker client may write for an image, and the one canonical form that stands in the store.
"""

from __future__ import annotations

import re
import secrets

from msgspec import Struct

from apiserver.errors import InvalidParameter

DOCKER_HUB = "docker.io"
LOCAL = "localhost"
"""The domain under which libpod clients store a short name."""
DEFAULT_TAG = "latest"


class ShortNames(Struct, frozen=True):
    """What a name without a domain means to a kind of client.

    Attributes:
        domains: where it is looked for, in this order; the first is where a new one is stored.
        anywhere: whether it is, at last, also the end of any longer name: `b` and `a/b` find `quay.io/a/b`.
        resolved: whether a container is said to be of what was found, by its stored name, not of what was asked for.
    """

    domains: tuple[str, ...]
    anywhere: bool = False
    resolved: bool = False

    def canonical(self, text: str) -> str:
        """The name under which an image is stored that a client calls `text`; the default tag is added.

        Raises:
            InvalidReference
        """
        return canonical_name(text, short_domain=self.domains[0])


DOCKER_NAMES = ShortNames((DOCKER_HUB, LOCAL))
"""As Podman's own Docker flavour has it, what libpod clients stored is found too."""
LIBPOD_NAMES = ShortNames((LOCAL, DOCKER_HUB), anywhere=True, resolved=True)
"""Podman's order (common/libimage/runtime.go); what its search list and aliases would find is found anywhere."""

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_NAME = 255

_HEX = re.compile(r"[0-9a-f]+")
_ID_LENGTH = 64
_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


class InvalidReference(InvalidParameter):
    """No image can be called so."""

    cause = "invalid reference format"
    docker = libpod = "{subject}"


class Reference(Struct, frozen=True):
    """A fully qualified image reference; the tag is empty where only a digest, or nothing, was given."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        return f"{self.domain}/{self.path}"

    @property
    def canonical(self) -> str:
        """How it stands in the store: `repository[:tag][@digest]`."""
        return self.repository + self._suffix

    @property
    def familiar(self) -> str:
        """How a Docker client sees it: without `docker.io/` and `library/`."""
        return familiar_repository(self.repository) + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def tagged(self) -> Reference:
        """With the tag `latest` if it has neither tag nor digest."""
        if self.tag or self.digest:
            return self
        return Reference(self.domain, self.path, DEFAULT_TAG)

    def exact(self) -> Reference:
        """What a registry is asked for: the digest alone where there is one, and else the tag."""
        return Reference(self.domain, self.path, digest=self.digest) if self.digest else self.tagged()


def parse_reference(text: str, *, short_domain: str = DOCKER_HUB) -> Reference:
    """Read a reference as a client writes it.

    Args:
        short_domain: where a name without a domain lives: `docker.io` (then a single word is in `library/`) for a
            Docker client, `localhost` for a libpod client.

    Raises:
        InvalidReference: in distribution/reference's words.
    """
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _invalid(text)
    if at and digest.startswith("sha256:") and not _SHA256.fullmatch(digest):
        raise InvalidReference("invalid checksum digest length")
    if is_full_id(rest):
        raise InvalidReference(
            f"invalid repository name ({rest}), cannot specify 64-byte hexadecimal strings as repository names"
        )
    domain, path = _split_domain(rest, short_domain)
    head, slash, last = path.rpartition("/")
    last, colon, tag = last.partition(":")
    path = head + slash + last
    if path != path.lower():
        raise InvalidReference("invalid reference format: repository name must be lowercase")
    if not _DOMAIN.fullmatch(domain) or not _PATH.fullmatch(path) or (colon and not _TAG.fullmatch(tag)):
        raise _invalid(text)
    if len(domain) + 1 + len(path) > _LONGEST_NAME:
        raise InvalidReference(f"repository name must not be more than {_LONGEST_NAME} characters")
    return Reference(domain, path, tag, digest)


def canonical_name(text: str, *, short_domain: str = DOCKER_HUB) -> str:
    """The name under which an image is stored that a client calls `text`; the default tag is added."""
    return parse_reference(text, short_domain=short_domain).tagged().canonical


def familiar_name(canonical: str) -> str:
    """What a Docker client sees of a stored name; one that does not parse is shown as it is."""
    try:
        return parse_reference(canonical).familiar
    except InvalidReference:
        return canonical


def familiar_repository(repository: str) -> str:
    """`docker.io/library/x` is `x` and `docker.io/a/x` is `a/x`; other repositories keep their domain."""
    domain, _, path = repository.partition("/")
    if domain != DOCKER_HUB:
        return repository
    return path.removeprefix("library/") if path.count("/") == 1 else path


def _split_domain(name: str, short_domain: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_domain = slash and (any(c in first for c in ".:") or first == LOCAL or first != first.lower())
    domain, path = (first, rest) if is_domain else (short_domain, name)
    if domain == "index.docker.io":
        domain = DOCKER_HUB
    if domain == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return domain, path


def _invalid(text: str) -> InvalidReference:
    return InvalidReference("invalid reference format" if text else "repository name must have at least one component")


def new_id() -> str:
    """A random id of 64 hex digits whose short form is not a number: some tools would read it as a pid."""
    while True:
        fresh = secrets.token_hex(_ID_LENGTH // 2)
        if not fresh[:12].isdecimal():
            return fresh


def is_full_id(text: str) -> bool:
    return len(text) == _ID_LENGTH and _HEX.fullmatch(text) is not None


def may_be_id(text: str) -> bool:
    """Whether it can be an id or the beginning of one."""
    return 0 < len(text) <= _ID_LENGTH and _HEX.fullmatch(text) is not None


def short_id(full: str) -> str:
    return full[:12]


def container_name(text: str) -> str:
    """The name that a client asks for a container, without the `/` that some put before it.

    Raises:
        InvalidContainerName
    """
    name = text.removeprefix("/")
    if not _CONTAINER_NAME.fullmatch(name):
        raise InvalidContainerName(text)
    return name


class InvalidContainerName(InvalidParameter):
    docker = "Invalid container name ({subject}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    libpod = "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: {cause}"


_ADJECTIVES = (
    "agile amber bold brave bright brisk calm candid clever crisp eager early fair fleet fond frank gentle glad "
    "golden grand happy hardy honest humble jolly keen kind lively loyal lucid mellow merry mild modest neat "
    "nimble noble patient plain proud quick quiet rapid ready royal rustic serene sharp silent sincere sleek smart "
    "snug solid spry stable steady sturdy subtle sunny swift tidy tranquil trusty upbeat vivid warm wise witty zesty"
)
_NOUNS = (
    "acorn alder aspen badger beacon birch bison brook canyon cedar comet condor coral crane creek dune eagle "
    "elm ember falcon fern finch fjord forest fox garnet glacier grove harbor hazel heron island ivy jasper "
    "juniper kestrel lagoon lake larch lark lichen linnet lotus lynx maple marten meadow mesa moss oak orchid "
    "osprey otter owl pebble pine plover quartz raven reef ridge river robin rowan sable sage spruce stork "
    "summit swan teal thicket tundra valley walnut willow wren yarrow"
)


def random_container_name() -> str:
    """A name for a container that was given none; the caller looks whether it is free and asks again."""
    return f"{secrets.choice(_ADJECTIVES.split())}_{secrets.choice(_NOUNS.split())}{secrets.randbelow(1000)}"

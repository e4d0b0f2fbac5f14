"""registries.d: where signatures of images lie beside their registry.

skopeo looks there by the place that it reads from, which is a proxy where the credentials are
(https://github.com/containers/image/blob/main/docs/containers-registries.d.5.md; docker/registries_d.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from apiserver.errors import HostError
from apiserver.local.registries.private_file import write_private

SYSTEM = Path("/etc/containers/registries.d")
USER = Path("/root/.config/containers/registries.d")


class BadRegistriesD(HostError):
    cause = "invalid registries.d"
    docker = libpod = "{cause}: {subject}"


class _Namespace(Struct, frozen=True, rename="kebab", omit_defaults=True):
    """The older of two names for the same is read where the other is not there."""

    lookaside: str | None = None
    sigstore: str | None = None
    lookaside_staging: str | None = None
    sigstore_staging: str | None = None
    use_sigstore_attachments: bool | None = None

    @property
    def read_from(self) -> str | None:
        return self.lookaside or self.sigstore or None

    @property
    def written_to(self) -> str | None:
        return self.lookaside_staging or self.sigstore_staging or self.read_from


class _File(Struct, frozen=True, rename="kebab"):
    default_docker: _Namespace | None = None
    docker: Mapping[str, _Namespace | None] | None = None


def write_registries_d(directory: Path, proxies: Mapping[str, str]) -> Path | None:
    """Make the registries.d (0700) of a call that goes by proxies: the host's, and the same for the proxies; blocks.

    Args:
        directory: a new one.
        proxies: `HOST[:PORT]` of the proxy by what is asked there, `HOST[:PORT]/PATH`.

    Returns:
        The directory; None where the host's own will do.

    Raises:
        BadRegistriesD
    """
    default, namespaces = _host()
    more: dict[str, _Namespace] = {}
    for location, proxy in proxies.items():
        parents = tuple(_parents(location))
        tagged = [name for name in namespaces if name.startswith((f"{location}:", f"{location}@"))]
        if not tagged and namespaces.keys().isdisjoint(parents):
            continue  # what is said of all is said of the proxy as well
        for name in (location, *tagged):
            near = [namespaces[each] for each in dict.fromkeys((name, *parents)) if each in namespaces]
            more[proxy + name[name.index("/") :]] = _together([*near, default])
    if not more:
        return None
    directory.mkdir(mode=0o700)
    content = _File(default, {**namespaces, **more})
    write_private(directory / "all.yaml", msgspec.json.encode(content).decode())  # JSON is YAML
    return directory


def _together(near: Sequence[_Namespace]) -> _Namespace:
    """Of each thing, what the first says that says anything of it."""
    attachments = (each.use_sigstore_attachments for each in near)
    return _Namespace(
        lookaside=next(filter(None, (each.read_from for each in near)), None),
        lookaside_staging=next(filter(None, (each.written_to for each in near)), None),
        use_sigstore_attachments=next((each for each in attachments if each is not None), None),
    )


def _parents(location: str) -> Iterator[str]:
    """The namespaces that a repository is in, the nearest first."""
    name = location
    while name:
        yield name
        name = name.rpartition("/")[0]
    domain = location.partition("/")[0].partition(":")[0]
    while "." in domain:
        domain = domain.partition(".")[2]
        yield f"*.{domain}"


def _host() -> tuple[_Namespace, Mapping[str, _Namespace]]:
    """What the host's says of all, and of each namespace."""
    default: _Namespace | None = None
    namespaces: dict[str, _Namespace] = {}
    for path in sorted((USER if USER.exists() else SYSTEM).glob("*.yaml")):
        file = _read(path)
        if file.default_docker is not None:
            if default is not None:
                raise BadRegistriesD(f"{path}: default-docker stands in another file too")
            default = file.default_docker
        for name, namespace in (file.docker or {}).items():
            if name in namespaces:
                raise BadRegistriesD(f"{path}: {name} stands in another file too")
            namespaces[name] = namespace or _Namespace()
    return default or _Namespace(), namespaces


def _read(path: Path) -> _File:
    import yaml  # only where there is such a file

    try:
        content = next(yaml.safe_load_all(path.read_text()), None)  # containers/image reads the first document alone
        return msgspec.convert(content or {}, _File)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadRegistriesD(f"{path}: {error}") from error

"""Where a registry sends a client for a token: its realm. skopeo takes credentials there, in the clear if it says so.

So it is asked without credentials first. A registry that itself speaks plain HTTP was allowed to (`tls_verify`,
registries.conf), and gets them so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from apiserver.engine.ports.registry import Reference
from apiserver.errors import RegistryUnreachable
from apiserver.local.images.registries_conf import has_credential_helpers

_HOSTS_AUTHFILES = (
    Path("/run/containers/0/auth.json"),
    *(Path("/root") / name for name in (".config/containers/auth.json", ".docker/config.json", ".dockercfg")),
)


def host_has_credentials(named: Path | None, registries: Path | None) -> bool:
    """Whether skopeo may find credentials of the host's own; blocks.

    Args:
        named: the auth.json that it is told of instead of the host's.
        registries: the registries.conf that it is told of instead of the host's.

    Raises:
        BadRegistriesConf
    """
    files = _HOSTS_AUTHFILES if named is None else (named, *_HOSTS_AUTHFILES[1:])
    return any(path.exists() for path in files) or has_credential_helpers(registries)


def refuse_plain(asked: Sequence[str], reference: Reference) -> None:
    """
    Args:
        asked: the URLs of an attempt without credentials, in order; `/v2/` is what each registry is asked first.

    Raises:
        RegistryUnreachable: a registry behind TLS was followed by a plain HTTP address.
    """
    tls = False
    for url in map(urlsplit, asked):
        if url.path == "/v2/" and not url.query:  # a realm may have that path, and is asked with a query
            tls = url.scheme == "https"
        elif tls and url.scheme == "http":
            realm = f"{url.scheme}://{url.netloc}"
            raise RegistryUnreachable(f"{reference.domain} wants credentials at {realm}, where anybody could read them")

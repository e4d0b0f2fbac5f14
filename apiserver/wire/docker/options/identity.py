"""Host name, labels and annotations."""

from __future__ import annotations

from apiserver.engine.containers.options import Identity
from apiserver.engine.containers.options.identity import DOCKERENV
from apiserver.errors import InvalidParameter
from apiserver.wire.docker.options.body import CreateBody, HostConfig


def read_identity(body: CreateBody, host: HostConfig) -> Identity:
    annotations = host.annotations or {}
    if "" in annotations:
        raise InvalidParameter("HostConfig.Annotations: the empty string is not permitted as an annotation key")
    return Identity(
        hostname=body.hostname,
        domainname=body.domainname,
        labels=body.labels or {},
        annotations=annotations,
        marker=DOCKERENV,
    )

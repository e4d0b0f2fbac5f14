"""How many descriptors the service may have: each running container and each connection takes one."""

from __future__ import annotations

import resource

from twisted.logger import Logger

log = Logger()


def raise_open_files() -> None:
    """As many as we are allowed to: a shell starts its programs with 1,024, for select(2), which nothing here uses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        log.warn("no more than {soft} descriptors: {error}", soft=soft, error=error)

"""Annotations of a container as Podman shows them (podman: libpod/define/annotations.go)."""

from __future__ import annotations

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.security import UNCONFINED

_PREFIX = "io.podman.annotations."


def shown_annotations(container: Container) -> dict[str, str] | None:
    """Those asked for, and how some options were set, in annotations of Podman's own that its clients look for.

    What Podman writes there for its runtime and for systemd is not among them: nobody acts upon it here.
    """
    options = container.options
    set_so = {
        "autoremove": options.lifecycle.auto_remove,
        "init": options.lifecycle.init,
        "privileged": options.security.privileged,
        "publish-all": options.network.publish_all,
    }
    security = options.security
    words = {
        "apparmor": security.apparmor,
        "label": "disable" if security.label_disabled else "",
        "seccomp": UNCONFINED if security.seccomp == UNCONFINED else "",
    }
    own = {_PREFIX + name: "TRUE" for name, is_set in set_so.items() if is_set}
    own |= {_PREFIX + name: word for name, word in words.items() if word}
    return dict(sorted({**own, **options.identity.annotations}.items())) or None

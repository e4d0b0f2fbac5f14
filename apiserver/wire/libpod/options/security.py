"""What the container's processes may do."""

from __future__ import annotations

from apiserver.engine.containers.options import Security
from apiserver.engine.containers.options.security import UNCONFINED
from apiserver.errors import NotImplementedYet
from apiserver.wire.libpod.options.body import CreateBody


def read_security(body: CreateBody) -> Security:
    """Raises: NotImplementedYet."""
    labels = [label for label in body.selinux_opts or () if label != "disable"]
    if labels:
        raise NotImplementedYet(f"the option selinux_opts {labels[0][:100]}")
    return Security(
        privileged=body.privileged,
        cap_add=tuple(body.cap_add or ()),
        cap_drop=tuple(body.cap_drop or ()),
        users_hold_added=True,
        no_new_privileges=body.no_new_privileges,
        seccomp=UNCONFINED if body.seccomp_profile_path == UNCONFINED else "",
        seccomp_path="" if body.seccomp_profile_path == UNCONFINED else body.seccomp_profile_path,
        apparmor=body.apparmor_profile,
        apparmor_or_nothing=True,
        label_disabled=bool(body.selinux_opts),
        mask=tuple(path for each in body.mask or () for path in each.split(":") if path),
        unmask=tuple(path for each in body.unmask or () for path in each.split(":") if path),
        supplementary_groups=tuple(body.groups or ()),
    )

"""The long form of a mount: an object in `HostConfig.Mounts` (`--mount`)."""

from __future__ import annotations

import posixpath

from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.binds import PROPAGATIONS
from apiserver.wire.docker.options.body import BindOptions, DriverConfig, MountBody, TmpfsOptions, VolumeOptions
from apiserver.wire.docker.options.targets import clean_target

_NOT_BUILT = ("npipe", "cluster", "image")


def read_mount(body: MountBody) -> Mount:
    """A mount object, in Docker's own rules and words (volume/mounts/linux_parser.go).

    Whether the source of a bind exists is for the engine to say.
    """
    if body.type in _NOT_BUILT:
        raise NotImplementedYet(f"the option HostConfig.Mounts of type {body.type} (--mount)")
    try:
        kind = MountKind(body.type)
    except ValueError:
        raise InvalidParameter(f'invalid mount config for type "{body.type}": mount type unknown') from None
    what = f'invalid mount config for type "{body.type}": '
    target = clean_target(body.type, body.target)
    for field, value, owner in (
        ("BindOptions", body.bind_options, MountKind.BIND),
        ("VolumeOptions", body.volume_options, MountKind.VOLUME),
        ("TmpfsOptions", body.tmpfs_options, MountKind.TMPFS),
    ):
        if value is not None and kind is not owner:
            raise InvalidParameter(what + f"field {field} must not be specified")
    if kind is MountKind.BIND:
        return _bind(what, target, body, body.bind_options or BindOptions())
    if kind is MountKind.VOLUME:
        return _volume(target, body, body.volume_options or VolumeOptions())
    return _tmpfs(what, target, body, body.tmpfs_options or TmpfsOptions())


def _bind(what: str, target: str, body: MountBody, options: BindOptions) -> Mount:
    if not body.source:
        raise InvalidParameter(what + "field Source must not be empty")
    if not body.source.startswith("/"):
        raise InvalidParameter(what + f"invalid mount path: '{body.source}' mount path must be absolute")
    if options.propagation and options.propagation not in PROPAGATIONS:
        raise InvalidParameter(what + f"invalid propagation mode: {options.propagation}")
    if options.read_only_non_recursive and options.read_only_force_recursive:
        raise InvalidParameter(what + "mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive")
    if not body.read_only and (options.read_only_non_recursive or options.read_only_force_recursive):
        raise InvalidParameter(what + "mount options conflict: read-only recursion without ReadOnly")
    return Mount(
        MountKind.BIND,
        target,
        source=posixpath.normpath(body.source),
        read_only=body.read_only,
        recursive=not options.non_recursive,
        recursive_read_only=not options.read_only_non_recursive,
        propagation=options.propagation or "rprivate",
        create_source=options.create_mountpoint,
    )


def _volume(target: str, body: MountBody, options: VolumeOptions) -> Mount:
    if options.subpath:
        raise NotImplementedYet("the option HostConfig.Mounts.VolumeOptions.Subpath (--mount volume-subpath=)")
    driver = options.driver_config or DriverConfig()
    if driver.name not in ("", "local"):
        raise NotImplementedYet(f"the option HostConfig.Mounts.VolumeOptions.DriverConfig.Name={driver.name}")
    return Mount(
        MountKind.VOLUME,
        target,
        source=body.source,
        read_only=body.read_only,
        no_copy=options.no_copy,
        anonymous=not body.source,
        volume_driver=driver.name,
        volume_labels=options.labels or {},
        volume_options=driver.options or {},
    )


def _tmpfs(what: str, target: str, body: MountBody, options: TmpfsOptions) -> Mount:
    if body.source:
        raise InvalidParameter(what + "field Source must not be specified")
    if options.size_bytes < 0:
        raise InvalidParameter(what + "field TmpfsOptions.SizeBytes must not be negative")
    if not 0 <= options.mode <= 0o7777:
        raise InvalidParameter(what + "field TmpfsOptions.Mode must be a file mode")
    words = []
    for option in options.options or ():
        if not 1 <= len(option) <= 2:
            raise InvalidParameter(what + "field TmpfsOptions.Options: each is one or two words")
        words.append("=".join(option))
    return Mount(
        MountKind.TMPFS,
        target,
        read_only=body.read_only,
        tmpfs_size_bytes=options.size_bytes or None,
        tmpfs_mode=options.mode or None,
        tmpfs_options=tuple(words),
    )


def show_mount(mount: Mount) -> JsonObject:
    """The object again, as `HostConfig.Mounts` of an inspection has it: Go leaves out what is not set."""
    shown: JsonObject = {"Type": mount.kind.value}
    if mount.source:
        shown["Source"] = mount.source
    shown["Target"] = mount.target
    if mount.read_only:
        shown["ReadOnly"] = True
    options = _shown_options(mount)
    if options:
        field = {MountKind.BIND: "BindOptions", MountKind.VOLUME: "VolumeOptions", MountKind.TMPFS: "TmpfsOptions"}
        shown[field[mount.kind]] = options
    return shown


def _shown_options(mount: Mount) -> JsonObject:
    options: JsonObject = {}
    if mount.kind is MountKind.BIND:
        if mount.propagation != "rprivate":
            options["Propagation"] = mount.propagation
        if mount.create_source:
            options["CreateMountpoint"] = True
        if not mount.recursive:
            options["NonRecursive"] = True
        if not mount.recursive_read_only:
            options["ReadOnlyNonRecursive"] = True
    elif mount.kind is MountKind.VOLUME:
        if mount.no_copy:
            options["NoCopy"] = True
        if mount.volume_labels:
            options["Labels"] = dict(mount.volume_labels)
        if mount.volume_driver or mount.volume_options:
            driver: JsonObject = {"Name": mount.volume_driver} if mount.volume_driver else {}
            options["DriverConfig"] = driver | ({"Options": dict(mount.volume_options)} if mount.volume_options else {})
    else:
        if mount.tmpfs_size_bytes:
            options["SizeBytes"] = mount.tmpfs_size_bytes
        if mount.tmpfs_mode:
            options["Mode"] = mount.tmpfs_mode
        if mount.tmpfs_options:
            options["Options"] = [word.split("=", 1) for word in mount.tmpfs_options]
    return options

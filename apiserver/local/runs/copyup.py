"""Filling a new volume with what the image has where it is mounted."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path

from apiserver.drivers.linux.copy_tree import copy_attributes, copy_tree
from apiserver.drivers.linux.openat2 import Inside
from apiserver.drivers.linux.remove_tree import remove_tree
from apiserver.drivers.threads import Threads
from apiserver.engine.containers.options.mounts import MountKind, Mounts
from apiserver.errors import HostError

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_BATCH = 1_000


async def copy_up(
    threads: Threads, rootfs: Path, mounts: Mounts, volumes: Mapping[str, str], new: Collection[str]
) -> list[str]:
    """Fill the volumes of a container that were never filled, from its root before anything is mounted in it.

    Args:
        volumes: name -> directory of its files.
        new: names of those to fill.

    Returns:
        The names of those that are empty because the image has no directory there.

    Raises:
        HostError: the volume is as empty as it was.
    """
    untouched = []
    for mount in mounts.mounts:
        if mount.kind is MountKind.VOLUME and mount.source in new and not mount.no_copy:
            try:
                if not await threads.run(fill, rootfs, mount.target, Path(volumes[mount.source])):
                    untouched.append(mount.source)
            except OSError as error:
                raise HostError(
                    f"failed to populate volume {mount.source} from {mount.target} of the image: {error.strerror}"
                ) from error
    return untouched


async def give(
    threads: Threads, names: Iterable[str], volumes: Mapping[str, str], *, user_id: int, group_id: int
) -> None:
    """Let the directories of volumes belong to somebody.

    Raises:
        HostError
    """
    for name in names:
        try:
            await threads.run(os.chown, volumes[name], user_id, group_id)
        except OSError as error:
            raise HostError(f"volume {name} cannot be given to {user_id}:{group_id}: {error.strerror}") from error


def fill(rootfs: Path, target: str, files: Path) -> bool:
    """Copy what is at `target`, unless there is something in `files` already. Blocks.

    The copy is made beside the volume's files and takes their place name by name only once it is complete. `filled`
    tells that it is: whatever kills us, the next call begins anew or brings that to its end.

    Args:
        target: a path in the container. Links on its way lead nowhere but into the container.
        files: an empty directory, whose parent is ours.

    Returns:
        False where both are empty: nothing is in `files`, and no directory at `target`.

    Raises:
        OSError
    """
    filled = files.with_name("filled")
    discard_unfinished(files.parent)
    if not filled.exists():
        with os.scandir(files) as found:
            if next(found, None) is not None:
                return True
        source = _open(rootfs, target)
        if source is None:
            return False
        try:
            _copy(source, files.with_name("filling"), filled)
        finally:
            os.close(source)
    _pour(filled, files)
    return True


def discard_unfinished(volume: Path) -> None:
    """Take away what a copy left that was not completed. Blocks.

    Args:
        volume: the volume's own directory.
    """
    remove_tree(volume / "filling")


def _open(rootfs: Path, target: str) -> int | None:
    with Inside(rootfs) as root:
        try:
            return root.open(target, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            if error.errno not in _NOTHING_THERE:
                raise
            return None


def _copy(source: int, filling: Path, filled: Path) -> None:
    tree, links = filling / "tree", filling / "links"
    for directory in (filling, tree, links):
        directory.mkdir(mode=0o700)
    try:
        opened = [os.open(directory, _OPEN) for directory in (tree, links)]
        try:
            copy_tree(source, *opened)
        finally:
            for descriptor in opened:
                os.close(descriptor)
        tree.rename(filled)
    finally:
        remove_tree(filling)


def _pour(filled: Path, files: Path) -> None:
    """Move what was copied to where it belongs: not the directory itself, which others may have mounted.

    What somebody put there meanwhile stays.
    """
    source, target = os.open(filled, _OPEN), os.open(files, _OPEN)
    try:
        while names := _some(source):
            for name in names:
                if _is_there(name, target):
                    _remove(filled / name)
                else:
                    os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        copy_attributes(source, target)
    finally:
        os.close(source)
        os.close(target)
    filled.rmdir()


def _some(directory: int) -> list[str]:
    with os.scandir(directory) as found:
        return [entry.name for entry in islice(found, _BATCH)]


def _is_there(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink()

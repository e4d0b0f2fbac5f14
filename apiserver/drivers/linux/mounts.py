"""Mounts of our own: overlay, bind, tmpfs. They take 0.2 ms, so they are made on the reactor's thread."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

from apiserver.drivers.linux import syscalls
from apiserver.drivers.linux.syscalls import AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, call, syscall
from apiserver.errors import HostError

Place: TypeAlias = Path | int
"""A path, followed as the kernel does, or an O_PATH descriptor (of `openat2`): nobody can swap that for a link."""

_MS = {"nosuid": 2, "nodev": 4, "noexec": 8, "ro": 1}
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_ATTRIBUTES = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8}
_PROPAGATION = {"private": 1 << 18, "slave": 1 << 19, "shared": 1 << 20, "unbindable": 1 << 17}

_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 0x4, 0x40
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8

_STRING_LIMIT = 255
"""Bytes that fsconfig takes in one string."""
_PAGE = 4095
"""Bytes that mount(2) takes as options."""


def mount_overlay(
    target: Path,
    lowers: Sequence[Path],
    upper: Path | None = None,
    work: Path | None = None,
    *,
    options: Mapping[str, str | None] | None = None,
) -> None:
    """Mount an overlay.

    Args:
        lowers: the nearest layer first; 500 at most (the kernel's limit).
        upper, work: on one file system; without them it is read-only.
        options: others of overlayfs, such as {"userxattr": None}; with {"volatile": None} nothing is written back when
            it is unmounted, and `work` cannot be used again: for what is thrown away with its container.

    Raises:
        HostError: with the kernel's own explanation where it gives one.
    """
    settings = [("upperdir", str(upper)), ("workdir", str(work))] if upper is not None else []
    extra = list((options or {}).items())
    try:
        _overlay_by_parts(target, lowers, settings, extra)
    except OSError as error:
        # EINVAL: a kernel before 6.5 does not know lowerdir+ (or it dislikes the directories: then it says so again).
        if error.errno not in (errno.ENOSYS, errno.EINVAL):
            raise HostError(f"overlay on {target}: {error.strerror}") from error
        try:
            _overlay_by_string(target, lowers, settings, extra)
        except OSError as again:
            raise HostError(f"overlay on {target}: {again.strerror}") from again


def bind(
    source: Place,
    target: Place,
    *,
    recursive: bool = True,
    attributes: Sequence[str] = (),
    propagation: str | None = "private",
) -> None:
    """Make `source` visible at `target`, both files or both directories.

    Args:
        recursive: with what is mounted below it.
        attributes: of `ro`, `nosuid`, `nodev`, `noexec`, for all that is bound.
        propagation: `private`, `slave`, `shared`, `unbindable`, or None for as it is.

    Raises:
        OSError
    """
    deep = AT_RECURSIVE if recursive else 0
    at, path, empty = _split(source)
    tree = syscall(syscalls.OPEN_TREE, at, path, _OPEN_TREE_CLONE | os.O_CLOEXEC | deep | empty, what=str(source))
    try:
        if attributes:
            _change(tree, deep, sum(_ATTRIBUTES[name] for name in attributes), 0)
        _move(tree, target)
        if propagation is not None:
            # Only now: what is attached to a shared mount becomes shared itself.
            _change(tree, deep, 0, _PROPAGATION[propagation])
    finally:
        os.close(tree)


def mount_tmpfs(
    target: Path, *, size_bytes: int | None = None, mode: int = 0o1777, attributes: Sequence[str] = ("nosuid", "nodev")
) -> None:
    """Mount a tmpfs; `size_bytes` None leaves the kernel's half of the memory.

    Raises:
        OSError
    """
    data = f"mode={mode:o}" + (f",size={size_bytes}" if size_bytes is not None else "")
    _mount("tmpfs", target, "tmpfs", sum(_MS[name] for name in attributes), data)


def make_private(target: Path, *, recursive: bool = False) -> None:
    """What is mounted or unmounted below is nobody else's business."""
    _mount(None, target, None, _MS_PRIVATE | (_MS_REC if recursive else 0), None)


def unmount_now(target: Path, *, detach: bool = False) -> bool:
    """Unmount; may take long (an overlay writes its upper file system back first): call it through `Threads`.

    Args:
        detach: out of sight now, gone when nobody uses it any more. Links are not followed.

    Returns:
        False where nothing was mounted.

    Raises:
        OSError: EBUSY without `detach`.
    """
    flags = _UMOUNT_NOFOLLOW | (_MNT_DETACH if detach else 0)
    try:
        call("umount2", os.fsencode(target), flags, what=str(target))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return False
        raise
    return True


def _overlay_by_parts(
    target: Path, lowers: Sequence[Path], settings: Sequence[tuple[str, str]], extra: Sequence[tuple[str, str | None]]
) -> None:
    with ExitStack() as stack:
        context = syscall(syscalls.FSOPEN, b"overlay", _FSOPEN_CLOEXEC, what="overlay")
        stack.callback(os.close, context)
        try:
            _set(context, "source", "overlay")
            for lower in lowers:
                _set(context, "lowerdir+", _short(stack, str(lower), _STRING_LIMIT))
            for name, path in settings:
                _set(context, name, _short(stack, path, _STRING_LIMIT))
            for name, value in extra:
                _set(context, name, value)
            syscall(syscalls.FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0, what=str(target))
            mount = syscall(syscalls.FSMOUNT, context, _FSMOUNT_CLOEXEC, 0, what=str(target))
        except OSError as error:
            raise OSError(error.errno, _explanation(context) or error.strerror, str(target)) from error
        stack.callback(os.close, mount)
        _move(mount, target)


def _overlay_by_string(
    target: Path, lowers: Sequence[Path], settings: Sequence[tuple[str, str]], extra: Sequence[tuple[str, str | None]]
) -> None:
    with ExitStack() as stack:
        limit = 10_000 if sum(len(os.fsencode(path)) + 3 for path in lowers) < _PAGE - 700 else 0
        layers = ":".join(_escaped(_short(stack, str(lower), limit)) for lower in lowers)
        parts = [f"lowerdir={layers}", *(f"{name}={_escaped(path)}" for name, path in settings)]
        parts += [name if value is None else f"{name}={value}" for name, value in extra]
        data = ",".join(parts)
        if len(os.fsencode(data)) > _PAGE:
            raise OSError(errno.E2BIG, f"{len(lowers)} layers are too many for this kernel", str(target))
        _mount("overlay", target, "overlay", 0, data)


def _set(context: int, name: str, value: str | None) -> None:
    command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
    text = None if value is None else os.fsencode(value)
    syscall(syscalls.FSCONFIG, context, command, name.encode(), text, 0, what=f"{name}={value}")


def _short(stack: ExitStack, path: str, limit: int) -> str:
    """The path, or a shorter name of the same directory that holds while the stack is open."""
    if len(os.fsencode(path)) <= limit:
        return path
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return f"/proc/self/fd/{descriptor}"


def _explanation(context: int) -> str | None:
    """What the kernel wrote about a failure: lines of a letter, a blank and a text."""
    lines = []
    while True:
        try:
            lines.append(os.read(context, 4096).decode(errors="replace")[2:].strip())
        except OSError:  # ENODATA: that was all
            return "; ".join(lines) or None


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")


def _mount(source: str | None, target: Path, fstype: str | None, flags: int, data: str | None) -> None:
    arguments = [None if text is None else os.fsencode(text) for text in (source, str(target), fstype, data)]
    call("mount", arguments[0], arguments[1], arguments[2], flags, arguments[3], what=str(target))


def _split(place: Place) -> tuple[int, bytes, int]:
    return (place, b"", AT_EMPTY_PATH) if isinstance(place, int) else (AT_FDCWD, os.fsencode(place), 0)


def _change(tree: int, deep: int, attributes: int, propagation: int) -> None:
    change = bytes((ctypes.c_uint64 * 4)(attributes, 0, propagation, 0))
    syscall(syscalls.MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH | deep, change, len(change))


def _move(tree: int, target: Place) -> None:
    at, path, empty = _split(target)
    flags = _MOVE_MOUNT_F_EMPTY_PATH | (_MOVE_MOUNT_T_EMPTY_PATH if empty else 0)
    syscall(syscalls.MOVE_MOUNT, tree, b"", at, path, flags, what=str(target))

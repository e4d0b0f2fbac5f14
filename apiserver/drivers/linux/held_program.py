"""Becomes a program that the kernel holds at each write to its standard error: `held_program.py PIPE PROGRAM ARG...`.

Into PIPE, a descriptor, it writes the number of the one by which somebody reads what is held and lets it go (seccomp's
user notification). Run with `-IS`: standard library alone, and little of it, since whoever waits for the program waits
for this first. libseccomp is there wherever crun or runc is.
"""

import ctypes
import os
import sys

_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_OF_OTHER_ARCHITECTURES, _NO_NEW_PRIVILEGES = 2, 3
_MASKED_EQUAL = 7
_STDERR = 2


class _Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def hold() -> int:
    """From now on this process and its children are held; answers the descriptor of what is held.

    Raises:
        OSError
    """
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
    if not context:
        raise OSError("libseccomp makes no filter")
    # By default it kills what makes calls of another architecture, and takes setuid programs their rights.
    _check(library.seccomp_attr_set(context, _OF_OTHER_ARCHITECTURES, ctypes.c_uint32(_ALLOW)))
    _check(library.seccomp_attr_set(context, _NO_NEW_PRIVILEGES, ctypes.c_uint32(0)))
    write = library.seccomp_syscall_resolve_name(b"write")
    where = _Comparison(0, _MASKED_EQUAL, 0xFFFFFFFF, _STDERR)
    _check(library.seccomp_rule_add_array(context, ctypes.c_uint32(_NOTIFY), write, 1, ctypes.byref(where)))
    if library.seccomp_load(context) < 0:  # its own error says no more
        raise OSError("the kernel takes no filter that tells of calls, or has one from somebody else")
    return _check(library.seccomp_notify_fd(context))


def _check(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def main() -> None:
    number, *command = sys.argv[1:]
    try:
        held = hold()
    except OSError as error:
        sys.exit(str(error))
    # It keeps it: where nobody had it any more, the kernel would let go of what is held.
    os.set_inheritable(held, True)
    os.write(int(number), b"%d" % held)
    os.close(int(number))
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main()

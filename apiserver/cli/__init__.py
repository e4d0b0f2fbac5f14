"""The console command `apiserver`: finds the subcommand and imports nothing else."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

STDOUT, STDERR = 1, 2

_COMMANDS = {
    "serve": "serve the API until it is idle or told to stop",
    "check": "say what this host can do, and what it lacks",
    "routes": "list the API's routes, or with --missing those that are not built",
    "reconcile": "clean up after containers that ended while no service was there",
    "version": "print the version",
}


def main() -> None:
    """Run the subcommand of this process's command line and end with its exit status."""
    _open_what_is_closed()
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output (`apiserver routes | head`) has seen enough; Python would fail again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    try:
        sys.stderr.flush()
    except OSError:
        # What a terminal that is gone did not take, Python would try again, and end with a status of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    sys.exit(status)


def _open_what_is_closed() -> None:
    """Have something at 0, 1 and 2: the next file that is opened, be it the state or a socket, would get their numbers.

    Where one was closed as Python began (`>&-`), `sys.stdout` or `sys.stderr` is None.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(STDOUT, "w", closefd=False)  # noqa: SIM115 - until the end
    if sys.stderr is None:
        sys.stderr = open(STDERR, "w", closefd=False)  # noqa: SIM115


def run(arguments: Sequence[str]) -> int:
    """Run a subcommand: the function `main` of its module, which takes its arguments and gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="apiserver",
        description="A container engine service.",
        epilog="commands:\n" + "\n".join(f"  {name:<10} {what}" for name, what in _COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=_COMMANDS, metavar="command", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own; --help shows them")
    chosen = parser.parse_args(list(arguments))
    gc.disable()  # nearly all that is made while importing stays
    command = import_module(f"apiserver.cli.{chosen.command}")
    gc.enable()
    status: int = command.main(chosen.arguments)
    return status

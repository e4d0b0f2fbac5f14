"""The console command `apiserver`: finds the subcommand and imports nothing else."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

_COMMANDS = {
    "serve": "serve the API until it is idle or told to stop",
    "check": "say what this host can do, and what it lacks",
    "routes": "list the API's routes, or with --missing those that are not built",
    "reconcile": "clean up after containers that ended while no service was there",
    "version": "print the version",
}


def main() -> None:
    """Run the subcommand of this process's command line and end with its exit status."""
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output (`apiserver routes | head`) has seen enough; Python would fail again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


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

"""`apiserver version`: the version, and nothing that would have to be imported to know it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from apiserver import __version__


def main(arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="apiserver version", description="Print the version.").parse_args(list(arguments))
    print(f"apiserver {__version__}")
    return 0

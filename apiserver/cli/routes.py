"""`apiserver routes`: what of the API is built, and with `--missing` what is not."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="apiserver routes", description="List the routes that are served: method, path, group."
    )
    parser.add_argument("--missing", action="store_true", help="list those that are not built yet instead")
    missing: bool = parser.parse_args(list(arguments)).missing

    from apiserver.daemon.assembly import missing_routes, served_routes

    for method, path, group in missing_routes() if missing else served_routes():
        print(f"{method:<7} {path}  {group}")
    return 0

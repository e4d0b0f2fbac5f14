"""Ask our service, a Docker and a Podman the same, and keep our answers and what differs (script/compare-answers)."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.answers.difference import complaints, differences, read_reasons, report
from tests.support.answers.normal import normalised
from tests.support.answers.server import Server
from tests.support.answers.story import Story

GOLDENS = Path(__file__).resolve().parents[2] / "goldens"
API = {"docker": "/v1.45", "libpod": "/v5.4.2/libpod"}
"""The versions asked for: those of the Docker and the Podman in Debian 13."""
PLAIN_API = "/v1.41"
"""Docker's API of every server, for what both flavours show."""


def ask(socket: str, flavour: str) -> dict[str, Any]:
    """The normalised answers of a server in one flavour.

    Raises:
        AssertionError: it refused something.
    """
    server = Server(socket, API[flavour])
    folder = Path(tempfile.mkdtemp(prefix="answers-", dir="/tmp"))
    try:
        docker = server if flavour == "docker" else server.other(PLAIN_API)
        return normalised(Story(docker, server, folder).tell())
    finally:
        shutil.rmtree(folder)


def write_goldens(flavour: str, answers: dict[str, Any]) -> None:
    folder = GOLDENS / flavour
    for old in folder.glob("*.json"):
        old.unlink()
    for name, document in answers.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def read_goldens(flavour: str) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((GOLDENS / flavour).glob("*.json"))}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="script/compare-answers",
        description="Write our normalised answers to tests/goldens/FLAVOUR/, and what differs from the answers of a"
        " Docker and a Podman to tests/goldens/differences/. Each of these has to run as root on this machine.",
        epilog="Fails if a difference has no reason in tests/goldens/differences/FLAVOUR.toml, or a reason there has"
        " no difference any more.",
    )
    parser.add_argument("--ours", required=True, metavar="SOCKET", help="of our service")
    parser.add_argument("--docker", metavar="SOCKET", help="of a dockerd; without it, Docker's flavour is left out")
    parser.add_argument("--podman", metavar="SOCKET", help="of a `podman system service`; likewise")
    options = parser.parse_args(arguments)
    failed = False
    for flavour, peer in (("docker", options.docker), ("libpod", options.podman)):
        if peer is None:
            continue
        said = compare(options.ours, peer, flavour)
        for complaint in said:
            print(f"{flavour}: {complaint}", file=sys.stderr)
        failed = failed or bool(said)
    return 1 if failed else 0


def compare(ours: str, peer: str, flavour: str) -> list[str]:
    """Write what is kept of one flavour; what is to be complained of."""
    answers, others = ask(ours, flavour), ask(peer, flavour)
    write_goldens(flavour, answers)
    found = differences(answers, others)
    kept = GOLDENS / "differences"
    reasons = read_reasons(kept / f"{flavour}.toml")
    version = Server(peer, "").ask("GET", "/version")["Version"]
    title = (
        f"Where our answers ({API[flavour]}) differ from those of {'Docker' if flavour == 'docker' else 'Podman'}"
        f" {version}: {len(found)} places. Written by script/compare-answers; the reasons are in {flavour}.toml."
    )
    (kept / f"{flavour}.txt").write_text(report(title, found, reasons))
    print(f"{flavour}: {len(found)} differences from {version}")
    return complaints(found, reasons)

"""What Docker says before the reason of a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apiserver.errors import EngineError
from apiserver.http.flavour import Flavour


@contextmanager
def docker_begins(words: str, *kinds: type[EngineError]) -> Iterator[None]:
    """To Docker's clients failures of these kinds are `WORDS: REASON`."""
    try:
        yield
    except kinds as error:
        error.say_to_docker(f"{words}: {Flavour.DOCKER.words(error)}")
        raise

"""Podman's words for what some of its requests do not find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apiserver.errors import NoSuchImage


class NothingFound(NoSuchImage):
    libpod = "failed to find image {subject}: {subject}: {cause}"


@contextmanager
def in_words_of_a_search() -> Iterator[None]:
    """For inspect, history, tag and untag; others say no more than that they do not know it."""
    try:
        yield
    except NoSuchImage as error:
        raise NothingFound(error.subject) from None

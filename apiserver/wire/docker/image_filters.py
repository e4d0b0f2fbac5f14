"""Which images the filters of a listing select: AND between keys, OR within one (labels: AND)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from apiserver.engine.names import LOCAL, familiar_name
from apiserver.engine.ports.images import Image
from apiserver.errors import InvalidParameter
from apiserver.wire.docker.container_filters import boolean, has_label
from apiserver.wire.gojson import EPOCH, parse_moment
from apiserver.wire.patterns import compile_glob

Test = Callable[[Image], bool]
Find = Callable[[str], Image]
"""The image that a client means; raises NoSuchImage."""
_REFERENCE = "reference"


def select(
    images: Iterable[Image],
    filters: Mapping[str, Sequence[str]],
    find: Find,
    now: datetime,
    *,
    intermediate: bool = False,
) -> list[Image]:
    """The images that pass, in the order given; where names are filtered, with those alone that pass.

    Args:
        intermediate: the steps of builds too.

    Raises:
        InvalidParameter: an unknown filter, or a value that it cannot have.
        NoSuchImage: `before` or `since` names none.
    """
    tests = [_test(key, list(values), find, now) for key, values in filters.items() if values and key != _REFERENCE]
    chosen = [
        image for image in images if (intermediate or not image.intermediate) and all(test(image) for test in tests)
    ]
    if not filters.get(_REFERENCE):
        return chosen
    patterns = [compile_glob(_REFERENCE, value) for value in filters[_REFERENCE]]
    named = (_called(image, patterns) for image in chosen)
    return [image for image in named if image.names or image.digests or image.pulled]


def _test(key: str, values: list[str], find: Find, now: datetime) -> Test:
    match key:
        case "dangling":
            dangling = boolean(key, values)
            return lambda image: (not image.names) is dangling
        case "label":
            return lambda image: all(has_label(image.config.labels, value) for value in values)
        case "label!":
            return lambda image: not all(has_label(image.config.labels, value) for value in values)
        case "before":
            limit = _created(find(values[-1]))
            return lambda image: _created(image) < limit
        case "since":
            limit = _created(find(values[-1]))
            return lambda image: _created(image) > limit
        case "until":
            moment = parse_moment("until", values[-1], now) or now
            return lambda image: _created(image) < moment
    raise InvalidParameter(f"invalid filter '{key}'")


def _created(image: Image) -> datetime:
    return image.created or EPOCH


def _called(image: Image, patterns: Sequence[re.Pattern[str]]) -> Image:
    """An image with those of its names alone that match."""

    def matching(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if any(p.fullmatch(short) for short in _short(name) for p in patterns))

    return replace(image, names=matching(image.names), digests=matching(image.digests), pulled=matching(image.pulled))


def _short(canonical: str) -> set[str]:
    """A name as Docker compares it: short, with and without the tag or digest.

    What podman clients called by a short name is found by that too, as everywhere else.
    """
    familiar = familiar_name(canonical)
    names = {familiar, familiar.removeprefix(f"{LOCAL}/")}
    return names | {_repository(name) for name in names}


def _repository(name: str) -> str:
    head, slash, last = name.partition("@")[0].rpartition("/")
    return head + slash + last.partition(":")[0]

"""Which images the filters of a listing select: AND between keys, OR within one (labels: AND)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from apiserver.engine.names import familiar_name
from apiserver.engine.ports.images import Image
from apiserver.errors import InvalidParameter
from apiserver.wire.docker.container_filters import boolean, has_label
from apiserver.wire.gojson import EPOCH, parse_moment

Test = Callable[[Image], bool]
Find = Callable[[str], Image]
"""The image that a client means; raises NoSuchImage."""


def select(
    images: Iterable[Image],
    filters: Mapping[str, Sequence[str]],
    find: Find,
    now: datetime,
    *,
    intermediate: bool = False,
) -> list[Image]:
    """The images that pass, in the order given.

    Args:
        intermediate: the steps of builds too.

    Raises:
        InvalidParameter: an unknown filter, or a value that it cannot have.
        NoSuchImage: `before` or `since` names none.
    """
    tests = [_test(key, list(values), find, now) for key, values in filters.items() if values]
    return [
        image for image in images if (intermediate or not image.intermediate) and all(test(image) for test in tests)
    ]


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
        case "reference":
            patterns = [_reference(value) for value in values]
            return lambda image: any(pattern.fullmatch(name) for pattern in patterns for name in _names(image))
    raise InvalidParameter(f"invalid filter '{key}'")


def _created(image: Image) -> datetime:
    return image.created or EPOCH


def _names(image: Image) -> set[str]:
    """As Docker compares them: short, with and without the tag or digest."""
    names = {familiar_name(name) for name in (*image.names, *image.digests)}
    return names | {_repository(name) for name in names}


def _repository(name: str) -> str:
    head, slash, last = name.partition("@")[0].rpartition("/")
    return head + slash + last.partition(":")[0]


def _reference(pattern: str) -> re.Pattern[str]:
    """Go's path.Match: `*` and `?` do not match a slash. Neighbouring stars are one: none of it can take long."""
    text = ""
    for part in re.split(r"(\*+|\?|\[[^\]/]+\])", pattern[:500]):
        if part.startswith("*"):
            text += "[^/]*"
        elif part == "?":
            text += "[^/]"
        elif part.startswith("[") and part.endswith("]"):
            body = part[1:-1].replace("\\", "\\\\").replace("[", "\\[").replace("&", "\\&").replace("~", "\\~")
            text += f"[{body}]"
        else:
            text += re.escape(part)
    try:
        compiled = re.compile(text)
    except re.error:
        compiled = re.compile(re.escape(pattern))
    if text.count("[^/]*") > _STARS:
        raise InvalidParameter(f"invalid filter 'reference={pattern[:100]}': more than {_STARS} stars")
    return compiled


_STARS = 4

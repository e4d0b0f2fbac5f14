"""Which images the filters of a listing select (podman: common/libimage/filters.go): AND between keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from apiserver.engine.ports.images import Image
from apiserver.errors import InvalidParameter
from apiserver.wire.gojson import EPOCH, parse_moment
from apiserver.wire.libpod.filters import Filters, has_labels, truths
from apiserver.wire.patterns import compile_glob

Test = Callable[[Image], bool]


def select(
    images: Iterable[Image],
    filters: Filters,
    find: Callable[[str], Image | None],
    in_use: Callable[[str], bool],
    now: datetime,
    *,
    intermediate: bool = False,
) -> list[Image]:
    """The images that pass, in the order given.

    Args:
        find: the image that a value of `before`, `since` or `reference` means; only the last may mean none.
        intermediate: the steps of builds too.

    Raises:
        InvalidParameter: an unknown filter, or a value that it cannot have.
    """
    tests = [_test(key, list(values), find, in_use, now) for key, values in filters.items() if values]
    shown = (image for image in images if intermediate or "intermediate" in filters or not image.intermediate)
    return [image for image in shown if all(test(image) for test in tests)]


def _test(
    key: str, values: list[str], find: Callable[[str], Image | None], in_use: Callable[[str], bool], now: datetime
) -> Test:
    match key:
        case "dangling":
            wanted = truths(key, values)
            return lambda image: (not image.names) in wanted
        case "intermediate":
            wanted = truths(key, values)
            return lambda image: image.intermediate in wanted
        case "readonly":
            wanted = truths(key, values)
            return lambda _: False in wanted
        case "containers":
            wanted = truths(key, values)
            return lambda image: in_use(image.id) in wanted
        case "label":
            return lambda image: has_labels(image.config.labels, values)
        case "label!":
            return lambda image: not has_labels(image.config.labels, values)
        case "before":
            limit = min(_created(find(value)) for value in values)
            return lambda image: _created(image) < limit
        case "since" | "after":
            limit = max(_created(find(value)) for value in values)
            return lambda image: _created(image) > limit
        case "until":
            moment = parse_moment(key, values[-1], now) or now
            return lambda image: _created(image) < moment
        case "id":
            return lambda image: any(image.id.startswith(value.removeprefix("sha256:")) for value in values)
        case "digest":
            for value in values:
                if not value.startswith("sha256:"):
                    raise InvalidParameter(f'invalid value "{value}" for digest filter')
            return lambda image: any(image.manifest_digest.startswith(value) for value in values)
        case "reference":
            return _by_reference(values, {image.id for value in values if (image := find(value))})
    raise InvalidParameter(f'unsupported image filter "{key}"')


def _created(image: Image | None) -> datetime:
    return image.created or EPOCH if image else EPOCH


def _by_reference(values: Sequence[str], meant: Collection[str]) -> Test:
    """By patterns, or as the very image that a value means."""
    patterns = [compile_glob("reference", value) for value in values]
    return lambda image: (
        image.id in meant
        or any(
            pattern.fullmatch(part)
            for name in (*image.names, *image.digests)
            for part in _parts(name)
            for pattern in patterns
        )
    )


def _parts(name: str) -> set[str]:
    """A name and each of its ends, with and without tag or digest: `a/b:t` is found as `b`, `b:t` and `a/b`."""
    words = name.split("/")
    ends = {"/".join(words[start:]) for start in range(len(words))}
    bare = {end.partition("@")[0] for end in ends}
    return ends | {head + slash + last.partition(":")[0] for head, slash, last in (b.rpartition("/") for b in bare)}

"""Which events a client wants: AND between keys, OR within one, the same for both flavours.

The words in `type` and `event` differ by flavour, so the caller gives the flavour's spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from apiserver.engine.events.model import Event, Kind
from apiserver.errors import InvalidParameter

Spelling = Callable[[Event], str]

_BY_KIND = {
    "container": Kind.CONTAINER,
    "image": Kind.IMAGE,
    "volume": Kind.VOLUME,
    "network": Kind.NETWORK,
}
_NEVER = frozenset({"config", "daemon", "node", "plugin", "secret", "service", "scope", "pod"})
"""Keys of both APIs for things that this version has no events of: they match nothing, as with Docker."""


def matcher(filters: Mapping[str, Sequence[str]], spell: Spelling) -> Callable[[Event], bool]:
    """Make the test for the given filters.

    Args:
        spell: the action in the flavour's words (`die`); a filter `event=health_status` also matches
            `health_status: healthy`.

    Raises:
        InvalidParameter: names an unknown filter.
    """
    tests = [_test(key, values, spell) for key, values in filters.items()]
    return lambda event: all(test(event) for test in tests)


def _test(key: str, values: Sequence[str], spell: Spelling) -> Callable[[Event], bool]:
    match key:
        case "event":
            return lambda event: any(spell(event) == v or spell(event).startswith(f"{v}:") for v in values)
        case "type":
            return lambda event: event.kind.value in values
        case "label":
            return lambda event: all(_has_label(event, value) for value in values)
        case "scope":
            return lambda _: "local" in values
        case _ if key in _BY_KIND:
            kind = _BY_KIND[key]
            return lambda event: any(_is_about(event, kind, value) for value in values)
        case _ if key in _NEVER:
            return lambda _: False
    raise InvalidParameter(f"invalid filter '{key}'")


def _has_label(event: Event, wanted: str) -> bool:
    name, has_value, value = wanted.partition("=")
    return name in event.attributes and (not has_value or event.attributes[name] == value)


def _is_about(event: Event, kind: Kind, wanted: str) -> bool:
    """By id, unique enough start of an id, or name; a container's events are also about its image."""
    if event.kind is kind:
        if event.subject.startswith(wanted) or event.attributes.get("name") == wanted.removeprefix("/"):
            return True
        names = (event.attributes.get("name", ""), event.attributes.get("reference", ""))
        return kind is Kind.IMAGE and any(wanted in (name, _untagged(name)) for name in names)
    attribute = event.attributes.get(kind.value)
    return attribute is not None and (attribute == wanted or (kind is Kind.IMAGE and _untagged(attribute) == wanted))


def _untagged(name: str) -> str:
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]

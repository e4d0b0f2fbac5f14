"""An event in Podman's words (libpod/events/config.go, pkg/domain/entities/events.go)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apiserver.engine.containers.options.network import DEFAULT
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.jsonvalue import JsonObject
from apiserver.wire.gojson import sorted_map, unix_nanoseconds
from apiserver.wire.libpod.names import DEFAULT_NETWORK, network_name

_WORDS: Mapping[Action, str] = {
    Action.ATTACH: "attach",
    Action.CONNECT: "connect",
    Action.CREATE: "create",
    Action.DESTROY: "remove",
    Action.DIED: "died",
    Action.DISCONNECT: "disconnect",
    Action.EXEC_DIED: "exec_died",
    Action.EXEC_START: "exec",
    Action.INIT: "init",
    Action.KILL: "kill",
    Action.LOAD: "loadfromarchive",
    Action.MOUNT: "mount",
    Action.PULL: "pull",
    Action.PULL_ERROR: "pull-error",
    Action.PUSH: "push",
    Action.REMOVE: "remove",
    Action.REMOVE_NAME: "remove",
    Action.RENAME: "rename",
    Action.RESTART: "restart",
    Action.SAVE: "save",
    Action.START: "start",
    Action.STOP: "stop",
    Action.TAG: "tag",
    Action.UNMOUNT: "unmount",
    Action.UNTAG: "untag",
}
_ALSO_CALLED = {"status": "event"}
_V5 = (5, 0, 0)
_OURS_ALONE = frozenset({"command", "exitCode", "reference"})
_UNTOLD = frozenset(
    {
        (Kind.VOLUME, Action.MOUNT),
        (Kind.VOLUME, Action.UNMOUNT),
        # Podman tells of these where a client asks for them, not at a start or an end.
        (Kind.NETWORK, Action.CONNECT),
        (Kind.NETWORK, Action.DISCONNECT),
    }
)


def is_told(event: Event, version: tuple[int, ...]) -> bool:
    """Podman's clients fail at a word that they do not know, so they are not told of what Podman has none for.

    Args:
        version: the client's.
    """
    if event.action is Action.PULL_ERROR and version < _V5:
        return False
    return event.action in _WORDS and (event.kind, event.action) not in _UNTOLD


def action_word(event: Event) -> str:
    """`died`, `remove`, `exec`; empty where Podman has no word."""
    return _WORDS.get(event.action, "")


def event_json(event: Event, version: tuple[int, ...]) -> JsonObject:
    """One record of `GET /libpod/events`; volumes have a name alone, images an id without `sha256:`."""
    attributes = {name: value for name, value in event.attributes.items() if name not in _OURS_ALONE}
    if event.kind is Kind.NETWORK:
        attributes["network"], attributes["name"] = network_name(attributes.get("name", "")), ""
    if event.kind is Kind.IMAGE and "reference" in event.attributes:
        attributes["name"] = event.attributes["reference"]
    subject = event.subject.removeprefix("sha256:")
    if event.kind is Kind.VOLUME:
        subject, attributes["name"] = "", event.subject
    if "exitCode" in event.attributes:
        attributes["containerExitCode"] = event.attributes["exitCode"]
    elif version < _V5:
        attributes["containerExitCode"] = "0"  # podman 4 dies of an event without it
    attributes.setdefault("image", "")
    attributes.setdefault("name", "")
    attributes.setdefault("podId", "")
    nanoseconds, word = unix_nanoseconds(event.time), action_word(event)
    shown: JsonObject = {
        "Type": event.kind.value,
        "Action": word,
        "Actor": {"ID": subject, "Attributes": sorted_map(attributes)},
        "scope": "local",
        "time": nanoseconds // 1_000_000_000,
        "timeNano": nanoseconds,
        "status": word,
    }
    if subject:
        shown["id"] = subject
    if attributes["image"]:
        shown["from"] = attributes["image"]
    return shown


def event_filters(filters: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """A client's filters with the engine's keys and names of things; keys are in any case, `die` is `died`."""
    named: dict[str, list[str]] = {}
    for key, values in filters.items():
        if values:
            lower = key.lower()
            named.setdefault(_ALSO_CALLED.get(lower, lower), []).extend(values)
    if "event" in named:
        named["event"] = ["died" if value == "die" else value for value in named["event"]]
    if "image" in named:
        named["image"] = [value.removeprefix("sha256:") for value in named["image"]]
    if "network" in named:
        named["network"] = [DEFAULT if value == DEFAULT_NETWORK else value for value in named["network"]]
    return named

"""An event in Docker's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apiserver.engine.containers.options.network import DEFAULT
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.engine.names import familiar_repository, parse_reference
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.versions import V1_52, Version
from apiserver.wire.gojson import sorted_map, unix_nanoseconds

_CONTAINER = {
    Action.DIED: "die",
    Action.EXEC_DIED: "exec_die",
    Action.EXEC_FAILED: "exec_start",
    Action.INIT: "",
    Action.REMOVE: "destroy",
}
_IMAGE = {Action.PULL_ERROR: "", Action.REMOVE: "delete", Action.REMOVE_NAME: ""}
_AT_REGISTRIES = (Action.PULL, Action.PUSH)
_HIDDEN = frozenset({"command", "reference"})
_HIDDEN_AT_REMOVAL = _HIDDEN | {"exitCode"}
_WITH_COMMAND = (Action.EXEC_CREATE, Action.EXEC_FAILED, Action.EXEC_START)


def is_told(event: Event) -> bool:
    """Docker's clients are not told of what Docker has no word for: some show it as an event that is not supported."""
    return bool(action_word(event))


def action_word(event: Event) -> str:
    """`die`, `delete`, `exec_create: ls -l`; empty where Docker has no word."""
    words = {Kind.CONTAINER: _CONTAINER, Kind.IMAGE: _IMAGE}.get(event.kind, {})
    word = words.get(event.action, event.action.value)
    if event.action in _WITH_COMMAND and "command" in event.attributes:
        return f"{word}: {event.attributes['command']}"
    return word


def event_json(event: Event, version: Version) -> JsonObject:
    """One record of `GET /events`; what happens at a registry is about a name, all else of images about an id."""
    subject = f"sha256:{event.subject}" if event.kind is Kind.IMAGE and ":" not in event.subject else event.subject
    hidden = _HIDDEN_AT_REMOVAL if event.action is Action.DESTROY else _HIDDEN
    attributes = {name: value for name, value in event.attributes.items() if name not in hidden}
    if event.kind is Kind.NETWORK and attributes.get("name") == DEFAULT:
        attributes["name"] = "bridge"
    if event.kind is Kind.IMAGE and event.action in _AT_REGISTRIES and "reference" in event.attributes:
        reference = parse_reference(event.attributes["reference"])
        subject, attributes["name"] = reference.familiar, familiar_repository(reference.repository)
    word, nanoseconds = action_word(event), unix_nanoseconds(event.time)
    shown: JsonObject = {
        "Type": event.kind.value,
        "Action": word,
        "Actor": {"ID": subject, "Attributes": sorted_map(attributes)},
        "scope": "local",
        "time": nanoseconds // 1_000_000_000,
        "timeNano": nanoseconds,
    }
    if version < V1_52:
        shown |= _flat(event, word, subject)
    return shown


def _flat(event: Event, word: str, subject: str) -> JsonObject:
    """What events looked like before they had an actor."""
    if event.kind is Kind.CONTAINER:
        return {"status": word, "id": subject, "from": event.attributes.get("image", "")}
    if event.kind is Kind.IMAGE:
        return {"status": word, "id": subject}
    return {}


def event_filters(filters: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """A client's filters with the engine's names of things: images without `sha256:`, the default network's own."""
    named = {key: list(values) for key, values in filters.items() if values}
    if "image" in named:
        named["image"] = [value.removeprefix("sha256:") for value in named["image"]]
    if "network" in named:
        named["network"] = [DEFAULT if value == "bridge" else value for value in named["network"]]
    return named

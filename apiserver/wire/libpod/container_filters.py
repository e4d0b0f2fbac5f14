"""Which containers the filters of a listing select (podman: pkg/domain/filters/containers.go): AND between keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from apiserver.engine.containers.model import Container
from apiserver.engine.ports.networks import Network
from apiserver.errors import InvalidArgument, InvalidParameter, NoSuchNetwork
from apiserver.wire.gojson import parse_moment
from apiserver.wire.libpod.filters import Filters, has_labels, matches_any, truths
from apiserver.wire.libpod.status import STATES, exit_code, state_word

Test = Callable[[Container], bool]
FindContainer = Callable[[str], Container]
FindNetwork = Callable[[str], Network]


def select(
    containers: Iterable[Container], filters: Filters, find: FindContainer, network: FindNetwork, now: datetime
) -> list[Container]:
    """The containers that pass, in the order given.

    Raises:
        InvalidParameter: an unknown filter, or a value that it cannot have.
        NoSuchContainer: `before` or `since` names none.
    """
    tests = [_test(key, list(values), find, network, now) for key, values in filters.items() if values]
    return [container for container in containers if all(test(container) for test in tests)]


def _test(key: str, values: list[str], find: FindContainer, network: FindNetwork, now: datetime) -> Test:
    match key:
        case "id":
            return lambda c: any(c.id.startswith(value) for value in values)
        case "name":
            return lambda c: matches_any(c.name, [value.replace("/", "") for value in values])
        case "label":
            return lambda c: has_labels(c.options.identity.labels, values)
        case "label!":
            return lambda c: not has_labels(c.options.identity.labels, values)
        case "status":
            return _by_status(values)
        case "exited":
            codes = {_integer(value) for value in values}
            return lambda c: c.run is not None and c.run.ended and exit_code(c) in codes
        case "ancestor":
            return lambda c: (
                any(value.removeprefix("sha256:") in c.image_id for value in values)
                or matches_any(c.image_name, values, key)
            )
        case "before":
            first = min(find(value).created for value in values)
            return lambda c: c.created < first
        case "since":
            first = min(find(value).created for value in values)
            return lambda c: c.created > first
        case "until":
            moment = parse_moment(key, values[-1], now) or now
            return lambda c: c.created < moment
        case "volume":
            return lambda c: any(_has_mount(c, value) for value in values)
        case "network":
            names = _networks(values, network)
            return lambda c: c.options.network.bridged and c.options.network.mode in names
        case "restart-policy":
            return lambda c: (
                c.options.lifecycle.restart.name in values
                or ("none" in values and c.options.lifecycle.restart.name == "no")
            )
        case "command":
            return lambda c: matches_any((*c.options.process.argv, "")[0], values, key)
        case "health":
            return lambda _: False  # no health check acts yet
        case "pod":
            return lambda _: False
        case "should-start-on-boot":
            wanted = truths(key, values)
            return lambda c: (c.options.lifecycle.restart.name in ("always", "unless-stopped")) in wanted
    raise InvalidParameter(f"{key} is an invalid filter")


def _by_status(values: list[str]) -> Test:
    for value in values:
        if value not in STATES:
            raise InvalidArgument(f"unknown container state: {value}")
    wanted = {"exited" if value == "stopped" else value for value in values}
    return lambda c: ("exited" if state_word(c) == "stopped" else state_word(c)) in wanted


def _integer(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidParameter(f'exited code out of range "{value}"') from None


def _has_mount(container: Container, wanted: str) -> bool:
    source, _, target = wanted.partition(":")
    for mount in container.options.mounts.mounts:
        if target and (mount.source, mount.target) == (source, target):
            return True
        if not target and source in (mount.target, mount.source):
            return True
    return False


def _networks(values: list[str], network: FindNetwork) -> set[str]:
    """Their own names; one that does not exist matches nothing."""
    names = set()
    for value in values:
        try:
            names.add(network(value).name)
        except NoSuchNetwork:
            continue
    return names

"""Which containers the filters of a listing select: AND between keys, OR within one (labels: AND).

Rules and words are the Docker Engine's (daemon/list.go).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.mounts import MountKind
from apiserver.engine.ports.networks import Network
from apiserver.errors import InvalidParameter
from apiserver.wire.docker.endpoints import docker_network_name, published
from apiserver.wire.docker.options.ports import read_exposed
from apiserver.wire.docker.status import STATES, exit_code, state_word
from apiserver.wire.patterns import compile_pattern

Filters = Mapping[str, Sequence[str]]
Test = Callable[[Container], bool]

_HEALTH = ("starting", "healthy", "unhealthy", "none")


class LookUps(Struct, frozen=True):
    """What the filters need to know beside the containers.

    Attributes:
        find: the container that a client means by a name or an id; raises NoSuchContainer.
        images: ids of the images that a client means by `ancestor`, with all that descend from them; none for an
            unknown one.
        networks: by the engine's name.
    """

    find: Callable[[str], Container]
    images: Callable[[str], frozenset[str]]
    networks: Mapping[str, Network]


def shows_stopped(filters: Filters) -> bool:
    """Whether a listing looks at all containers, though the client did not ask for `all`."""
    return any(filters.get(key) for key in ("status", "exited", "before", "since"))


def select(containers: Iterable[Container], filters: Filters, look_ups: LookUps) -> list[Container]:
    """The containers that pass, in the order given.

    Raises:
        InvalidParameter: an unknown filter, or a value that it cannot have.
        NoSuchContainer: `before` or `since` names none.
    """
    tests = [_test(key, list(values), look_ups) for key, values in filters.items() if values]
    return [container for container in containers if all(test(container) for test in tests)]


def _test(key: str, values: list[str], look_ups: LookUps) -> Test:
    match key:
        case "id":
            return lambda c: any(c.id.startswith(value) for value in values)
        case "name":
            return _by_name(values)
        case "label":
            return lambda c: all(has_label(c.options.identity.labels, value) for value in values)
        case "label!":
            return lambda c: not all(has_label(c.options.identity.labels, value) for value in values)
        case "status":
            for value in values:
                if value not in STATES:
                    raise InvalidParameter(f"invalid filter 'status={value}'")
            return lambda c: state_word(c) in values
        case "exited":
            codes = {_integer("exited", value) for value in values}
            return lambda c: state_word(c) in ("exited", "dead") and exit_code(c) in codes
        case "health":
            for value in values:
                if value not in _HEALTH:
                    raise InvalidParameter(f"unrecognized filter value for health: {value}")
            return lambda _: "none" in values  # no health check acts yet
        case "ancestor":
            images = frozenset[str]().union(*(look_ups.images(value) for value in values))
            return lambda c: c.image_id in images
        case "before" | "since":
            return _by_age(key, look_ups.find(values[-1]))
        case "volume":
            return _by_volume(values)
        case "network":
            return _by_network(values, look_ups.networks)
        case "publish":
            return _by_port(key, values)
        case "expose":
            return _by_port(key, values)
        case "is-task":
            wanted = boolean(key, values)
            return lambda _: not wanted
        case "isolation":
            return lambda _: any(value in ("", "default") for value in values)
    raise InvalidParameter(f"invalid filter '{key}'")


def boolean(key: str, values: Sequence[str]) -> bool:
    """The one value of a filter that is true or false."""
    truths = {"true": True, "1": True, "false": False, "0": False}
    found = {truths.get(value.lower()) for value in values}
    if len(found) != 1 or None in found:
        raise InvalidParameter(f"invalid filter '{key}=[{' '.join(values)}]'")
    return True in found


def has_label(labels: Mapping[str, str], wanted: str) -> bool:
    """`NAME`, or `NAME=VALUE`."""
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)


def _integer(key: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidParameter(f"invalid filter '{key}={value}': it is no number") from None


def _by_name(values: list[str]) -> Test:
    """A name is a regular expression to Docker, matched with and without the `/` in front."""
    patterns = [compile_pattern("name", value) for value in values]
    return lambda c: any(p.search(c.name) or p.search(f"/{c.name}") for p in patterns)


def _by_age(key: str, other: Container) -> Test:
    if key == "before":
        return lambda c: (c.created, c.id) < (other.created, other.id)
    return lambda c: (c.created, c.id) > (other.created, other.id)


def _by_volume(values: list[str]) -> Test:
    def test(container: Container) -> bool:
        mounts = [m for m in container.options.mounts.mounts if m.kind is not MountKind.TMPFS]
        return any(
            value.rstrip("/") in (m.source, m.target) or value in (m.source, m.target)
            for value in values
            for m in mounts
        )

    return test


def _by_network(values: list[str], networks: Mapping[str, Network]) -> Test:
    def test(container: Container) -> bool:
        mode = container.options.network.mode
        network = networks.get(mode)
        identity = network.id if network is not None else ""
        return any(
            value in (docker_network_name(mode), identity) or (value and identity.startswith(value)) for value in values
        )

    return test


def _by_port(key: str, values: list[str]) -> Test:
    wanted = {port for value in values for port in read_exposed(f"invalid filter '{key}'", [value])}

    def test(container: Container) -> bool:
        ports = {f"{port.container_port}/{port.transport}" for port in published(container)}
        if key == "publish":
            ports |= {f"{port.host_port}/{port.transport}" for port in published(container)}
        else:
            ports = set(container.options.network.exposed)
        return bool(ports & wanted)

    return test

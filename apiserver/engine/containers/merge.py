"""What a container is made of: what the client asks, over what its image says, by Docker's rules."""

from __future__ import annotations

from msgspec.structs import replace

from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options.lifecycle import Lifecycle
from apiserver.engine.containers.options.mounts import with_image_volumes
from apiserver.engine.containers.options.network import exposed_ports
from apiserver.engine.containers.options.process import DEFAULT_PATH, Process
from apiserver.engine.containers.signals import InvalidSignal, signal_number
from apiserver.engine.containers.words import substituted
from apiserver.engine.ports.images import Healthcheck, ImageConfig
from apiserver.errors import InvalidParameter


def merged(options: ContainerOptions, image: ImageConfig) -> ContainerOptions:
    """The options with the image's configuration filled in below them; not validated.

    A port or a stop signal of the image that there is none of is left out: a client who runs it can do nothing about
    it, and Docker runs it with no such port, and with SIGTERM.
    """
    return replace(
        options,
        process=_process(options.process, image),
        identity=replace(options.identity, labels={**image.labels, **options.identity.labels}),
        mounts=with_image_volumes(options.mounts, image.volumes),
        network=replace(
            options.network,
            exposed=tuple(dict.fromkeys((*options.network.exposed, *filter(_is_port, image.exposed_ports)))),
        ),
        lifecycle=_lifecycle(options.lifecycle, image.healthcheck),
    )


def _process(process: Process, image: ImageConfig) -> Process:
    entrypoint, command = process.entrypoint, process.command
    if not entrypoint:
        command = command or image.cmd
        entrypoint = image.entrypoint if entrypoint is None else entrypoint
    if entrypoint == ("",):
        entrypoint = ()  # how the CLI sends `--entrypoint ""`
    return replace(
        process,
        entrypoint=entrypoint or (),
        command=command or (),
        env=merged_env(_env_below(process, image), process.env),
        default_env=(),
        env_merge=(),
        working_dir=process.working_dir or image.working_dir,
        user=process.user or image.user,
        stop_signal=process.stop_signal or (image.stop_signal if _is_signal(image.stop_signal) else ""),
    )


def _is_port(entry: str) -> bool:
    try:
        return bool(exposed_ports(entry))
    except InvalidParameter:
        return False


def _is_signal(text: str) -> bool:
    try:
        return bool(signal_number(text))
    except InvalidSignal:
        return False


def _env_below(process: Process, image: ImageConfig) -> tuple[str, ...]:
    """As Podman has it (specgen/generate/container.go), what is merged goes with what it is merged into."""
    known = {"PATH": DEFAULT_PATH}
    known |= dict(entry.split("=", 1) for entry in merged_env(process.default_env, image.env) if "=" in entry)
    found: dict[str, str] = {}
    for text in process.env_merge:
        name, equals, value = substituted(text, known).partition("=")
        if not equals or not name:
            raise InvalidParameter(f"missing `=` for --env-merge substitution {text[:100]}")
        known[name] = found[name] = value
    if not process.image_env:
        return ()
    below = merged_env(process.default_env, image.env)
    return merged_env(below, tuple(f"{name}={value}" for name, value in found.items()))


def merged_env(below: tuple[str, ...], above: tuple[str, ...]) -> tuple[str, ...]:
    """Each name once: the client's first, its last value winning, then what it does not name.

    A client's `NAME` without a value takes the image's out. It stays here, for validation to drop.
    """
    asked = {entry.partition("=")[0]: entry for entry in above}
    return (*asked.values(), *(entry for entry in below if "=" in entry and entry.partition("=")[0] not in asked))


def _lifecycle(lifecycle: Lifecycle, image: Healthcheck | None) -> Lifecycle:
    asked = lifecycle.health
    if image is None or asked is None:
        return replace(lifecycle, health=asked or image)
    health = Healthcheck(
        test=asked.test or image.test,
        interval_ns=asked.interval_ns or image.interval_ns,
        timeout_ns=asked.timeout_ns or image.timeout_ns,
        start_period_ns=asked.start_period_ns or image.start_period_ns,
        start_interval_ns=asked.start_interval_ns or image.start_interval_ns,
        retries=asked.retries or image.retries,
    )
    return replace(lifecycle, health=health)

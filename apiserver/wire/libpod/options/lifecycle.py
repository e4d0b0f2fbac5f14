"""Auto-remove, restart policy, health check, and where output is kept."""

from __future__ import annotations

from apiserver.engine.containers.options import Lifecycle, Logging
from apiserver.engine.containers.options.lifecycle import RestartPolicy
from apiserver.engine.containers.options.logging import DEFAULT_MAX_SIZE, LogDriver
from apiserver.engine.ports.images import Healthcheck
from apiserver.errors import InvalidArgument, NotImplementedYet
from apiserver.wire.libpod.options.body import CreateBody, HealthBody, LogBody

_NOT_BUILT = ("journald", "passthrough", "passthrough-tty")


def read_lifecycle(body: CreateBody) -> Lifecycle:
    return Lifecycle(
        auto_remove=body.remove,
        restart=RestartPolicy(body.restart_policy or "no", body.restart_tries),
        health=_health(body.healthconfig),
        init=body.init,
        init_program=body.init_path if body.init else "",
        monitor_pid_file=body.conmon_pid_file,
        notify_mode=body.sdnotify_mode,
        timeout=body.timeout,
    )


def _health(health: HealthBody | None) -> Healthcheck | None:
    if health is None:
        return None
    return Healthcheck(
        test=tuple(health.test or ()),
        interval_ns=health.interval,
        timeout_ns=health.timeout,
        start_period_ns=health.start_period,
        start_interval_ns=health.start_interval,
        retries=health.retries,
    )


def read_logging(config: LogBody) -> Logging:
    """Raises: InvalidArgument, NotImplementedYet."""
    if config.path:
        raise NotImplementedYet("the option log_configuration.path (--log-opt path=)")
    if config.labels:
        raise NotImplementedYet("the option log_configuration.labels")
    options = config.options or {}
    for option in options:
        if option != "max-size":
            raise NotImplementedYet(f"the option log_configuration.options.{option[:100]} (--log-opt)")
    if config.driver == "none":  # any size holds what is not kept
        return Logging(LogDriver.NONE, asked_as=config.driver)
    if config.driver in _NOT_BUILT:
        raise NotImplementedYet(f"the option log_configuration.driver={config.driver} (--log-driver)")
    if config.driver not in ("", "k8s-file", "json-file"):
        raise InvalidArgument(f"log_configuration.driver: {config.driver[:100]!r} is no log driver")
    size = config.size if config.size > 0 else DEFAULT_MAX_SIZE
    return Logging(LogDriver.K8S_FILE, asked_as=config.driver, max_size_bytes=size, options=options)

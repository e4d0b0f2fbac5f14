"""Auto-remove, restart policy, health check, an init process."""

from __future__ import annotations

from apiserver.engine.containers.options import Lifecycle
from apiserver.engine.containers.options.lifecycle import RestartPolicy
from apiserver.engine.ports.images import Healthcheck
from apiserver.errors import InvalidParameter
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import CreateBody, HealthConfig, HostConfig, RestartPolicyBody

_POLICIES = ("no", "always", "on-failure", "unless-stopped")
_SHORTEST_NS = 1_000_000


def read_lifecycle(body: CreateBody, host: HostConfig) -> Lifecycle:
    restart = _read_restart(host.restart_policy or RestartPolicyBody())
    if host.auto_remove and restart.name != "no":
        raise InvalidParameter("HostConfig.RestartPolicy: can't create 'AutoRemove' container with restart policy")
    return Lifecycle(
        auto_remove=host.auto_remove,
        restart=restart,
        health=_read_health(body.healthcheck),
        init=bool(host.init),
    )


def _read_restart(policy: RestartPolicyBody) -> RestartPolicy:
    name = policy.name or "no"
    if name not in _POLICIES:
        raise InvalidParameter(
            f"HostConfig.RestartPolicy: invalid restart policy: unknown policy '{policy.name}'; "
            "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    retries = policy.maximum_retry_count
    if retries < 0:
        raise InvalidParameter(
            "HostConfig.RestartPolicy.MaximumRetryCount: invalid restart policy: maximum retry count cannot be negative"
        )
    if retries and name != "on-failure":
        raise InvalidParameter(
            "HostConfig.RestartPolicy.MaximumRetryCount: invalid restart policy: "
            "maximum retry count can only be used with 'on-failure'"
        )
    return RestartPolicy(name, retries)


def _read_health(health: HealthConfig | None) -> Healthcheck | None:
    if health is None:
        return None
    test = tuple(health.test or ())
    spans = {
        "Interval": health.interval,
        "Timeout": health.timeout,
        "StartPeriod": health.start_period,
        "StartInterval": health.start_interval,
    }
    for name, value in spans.items():
        if value != 0 and value < _SHORTEST_NS:
            raise InvalidParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")
    if not test and not any(spans.values()) and not health.retries:
        return None
    return Healthcheck(
        test=test,
        interval_ns=health.interval,
        timeout_ns=health.timeout,
        start_period_ns=health.start_period,
        start_interval_ns=health.start_interval,
        retries=health.retries,
    )


def show_restart(restart: RestartPolicy) -> JsonObject:
    return {"Name": restart.name, "MaximumRetryCount": restart.maximum_retries}


def show_health(health: Healthcheck) -> JsonObject:
    """A health check as in `Config.Healthcheck`: Go leaves zeros out."""
    shown: JsonObject = {
        "Test": list(health.test),
        "Interval": health.interval_ns,
        "Timeout": health.timeout_ns,
        "StartPeriod": health.start_period_ns,
        "StartInterval": health.start_interval_ns,
        "Retries": health.retries,
    }
    return {key: value for key, value in shown.items() if value}

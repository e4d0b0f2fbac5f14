"""Where output is kept: our k8s-file stands for Docker's `json-file` and `local`."""

from __future__ import annotations

import re

from apiserver.engine.containers.options.logging import DEFAULT_MAX_SIZE, LogDriver, Logging
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import LogConfig

DEFAULT_DRIVER = "json-file"
_FILES = ("json-file", "local", "k8s-file")
_NOT_BUILT = frozenset(
    {"awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "logentries", "passthrough", "splunk", "syslog"}
)
_OPTIONS = frozenset({"max-size", "max-file"})
_NOT_BUILT_OPTIONS = frozenset(
    {"compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode", "max-buffer-size"}
)
_NO_CHANGE = {"mode": "blocking", "compress": "false"}
"""What options that are not built may say: it is what we do."""
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_UNITS = {unit: 1024**power for power, unit in enumerate(("", "k", "m", "g", "t", "p"))}


def read_logging(config: LogConfig | None) -> Logging:
    """No driver means the default one; `max-size` is bytes with a unit, `-1` for no bound."""
    config = config or LogConfig()
    options = config.config or {}
    name = config.type
    if name == "none":
        return Logging(LogDriver.NONE, asked_as=name, options=options)
    if name in _NOT_BUILT:
        raise NotImplementedYet(f"the option HostConfig.LogConfig.Type={name} (--log-driver)")
    driver = name or DEFAULT_DRIVER
    if driver not in _FILES:
        raise InvalidParameter(f"HostConfig.LogConfig.Type: logger: no log driver named '{name}' is registered")
    for option, value in options.items():
        if option in _NOT_BUILT_OPTIONS and _NO_CHANGE.get(option) != value:
            raise NotImplementedYet(f"the option HostConfig.LogConfig.Config.{option} (--log-opt)")
        if option not in _OPTIONS | _NOT_BUILT_OPTIONS:
            raise InvalidParameter(f"HostConfig.LogConfig.Config: unknown log opt '{option}' for {driver} log driver")
    if "max-file" in options and not _positive(options["max-file"]):
        raise InvalidParameter("HostConfig.LogConfig.Config.max-file: it is a number of files, at least 1")
    size = options.get("max-size", "")
    return Logging(
        LogDriver.K8S_FILE,
        asked_as=name,
        max_size_bytes=_size(size) if size else DEFAULT_MAX_SIZE,
        options=options,
    )


def _positive(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) > 0


def _size(text: str) -> int:
    if text == "-1":
        return -1
    match = _SIZE.fullmatch(text)
    size = int(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if not 0 < size < 2**63:
        raise InvalidParameter(f"HostConfig.LogConfig.Config.max-size: invalid size: '{text}'")
    return size


def show_logging(logging: Logging) -> JsonObject:
    driver = "none" if logging.driver is LogDriver.NONE else logging.asked_as or DEFAULT_DRIVER
    return {"Type": DEFAULT_DRIVER if driver == "k8s-file" else driver, "Config": dict(logging.options)}


def ignored(logging: Logging) -> tuple[str, ...]:
    """Warnings for what is accepted and does nothing."""
    if logging.options.get("max-file", "1") != "1":
        return ("The log option max-file does nothing: one file is kept, and begun anew at max-size.",)
    return ()

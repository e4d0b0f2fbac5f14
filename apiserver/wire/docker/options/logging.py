"""Where output is kept: our k8s-file stands for Docker's `json-file` and `local`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.logging import LogDriver, Logging
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import LogConfig

DEFAULT_DRIVER = "json-file"
_FILES = ("json-file", "local", "k8s-file")
_NOT_BUILT = frozenset(
    {"awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "logentries", "passthrough", "splunk", "syslog"}
)
_OPTIONS = frozenset({"max-size", "max-file", "labels", "env", "tag"})
_NOT_BUILT_OPTIONS = frozenset({"compress", "labels-regex", "env-regex", "mode", "max-buffer-size"})
_FIELD = re.compile(r"\{\{ *\.(ID|FullID|Name|ImageID|ImageFullID|ImageName|Command|DaemonName) *\}\}")
_NO_CHANGE = {"mode": "blocking", "compress": "false"}
"""What options that are not built may say: it is what we do."""


def read_logging(config: LogConfig | None) -> Logging:
    """No driver means the default one; what `max-size` and `max-file` say is read for both flavours alike."""
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
    if "{{" in _FIELD.sub("", options.get("tag", "")):
        raise NotImplementedYet("a template that holds more than names in HostConfig.LogConfig.Config.tag (--log-opt)")
    return Logging(LogDriver.K8S_FILE, asked_as=name, options=options)


def show_logging(logging: Logging) -> JsonObject:
    driver = "none" if logging.driver is LogDriver.NONE else logging.asked_as or DEFAULT_DRIVER
    return {"Type": DEFAULT_DRIVER if driver == "k8s-file" else driver, "Config": dict(logging.options)}


def log_attributes(container: Container) -> Mapping[str, str]:
    """What the log options say of each line of a container: shown where a client asks for details.

    Docker keeps them with the lines, and a tag with the name from then; here it is the one from now.
    """
    options, process = container.options.logging.options, container.options.process
    labels, env = container.options.identity.labels, dict(entry.split("=", 1) for entry in process.env if "=" in entry)
    found = {name: labels[name] for name in options.get("labels", "").split(",") if name in labels}
    found |= {name: env[name] for name in options.get("env", "").split(",") if name in env}
    fields = {
        "ID": container.id[:12],
        "FullID": container.id,
        "Name": container.name,
        "ImageID": f"sha256:{container.image_id}"[:12],
        "ImageFullID": f"sha256:{container.image_id}",
        "ImageName": container.image_name,
        "Command": " ".join(process.argv),
        "DaemonName": "docker",
    }
    if tag := _FIELD.sub(lambda name: fields[name[1]], options.get("tag", "")):
        found["tag"] = tag
    return found


def ignored(logging: Logging) -> tuple[str, ...]:
    """Warnings for what is accepted and does nothing."""
    if logging.options.get("max-file", "1") != "1":
        return ("The log option max-file does nothing: one file is kept, and begun anew at max-size.",)
    return ()

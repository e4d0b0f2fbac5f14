"""Where output is kept: our k8s-file stands for Docker's `json-file` and `local`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.logging import LogDriver, Logging
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import LogConfig
from apiserver.wire.patterns import check_simple

DEFAULT_DRIVER = "json-file"
_FILES = ("json-file", "local", "k8s-file")
_NOT_BUILT = frozenset(
    {"awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "logentries", "passthrough", "splunk", "syslog"}
)
_OPTIONS_OF_ALL = frozenset({"max-size", "max-file", "compress", "mode", "max-buffer-size"})
_EXPRESSIONS = ("labels-regex", "env-regex")
_OPTIONS_OF_LINES = frozenset({"labels", "env", "tag", *_EXPRESSIONS})
"""What each line has of its container; Docker's `local` knows none of it."""
_FIELD = re.compile(r"\{\{ *\.(ID|FullID|Name|ImageID|ImageFullID|ImageName|Command|DaemonName) *\}\}")
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
"""As Go reads them."""


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
    known = _OPTIONS_OF_ALL if driver == "local" else _OPTIONS_OF_ALL | _OPTIONS_OF_LINES
    for option in options:
        if option not in known:
            raise InvalidParameter(f"HostConfig.LogConfig.Config: unknown log opt '{option}' for {driver} log driver")
    _check_mode(options)
    _check_compress(driver, options)
    for option in _EXPRESSIONS:
        _expression(option, options)
    if "{{" in _FIELD.sub("", options.get("tag", "")):
        raise NotImplementedYet("a template that holds more than names in HostConfig.LogConfig.Config.tag (--log-opt)")
    return Logging(LogDriver.K8S_FILE, asked_as=name, options=options)


def _check_mode(options: Mapping[str, str]) -> None:
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidParameter(f"HostConfig.LogConfig.Config: logger: logging mode not supported: {mode}")
    if mode == "non-blocking":
        raise NotImplementedYet("the option HostConfig.LogConfig.Config.mode=non-blocking (--log-opt)")
    if "max-buffer-size" in options:
        raise InvalidParameter(
            "HostConfig.LogConfig.Config: logger: max-buffer-size option is only supported with 'mode=non-blocking'"
        )


def _check_compress(driver: str, options: Mapping[str, str]) -> None:
    text = options.get("compress", "false")
    if text not in _BOOLEANS:
        raise InvalidParameter(f"HostConfig.LogConfig.Config: log opt compress: {text!r} is not a boolean")
    several = options.get("max-file", "1") not in ("0", "1") and "max-size" in options
    if _BOOLEANS[text] and driver != "local" and not several:
        raise InvalidParameter(
            "HostConfig.LogConfig.Config: compress cannot be true when max-file is less than 2 or max-size is not set"
        )


def _expression(option: str, options: Mapping[str, str]) -> re.Pattern[str] | None:
    """What names are to match; None where the option says nothing.

    Raises:
        InvalidParameter: it is no regular expression, or could take long.
    """
    if not (text := options.get(option, "")):
        return None
    check_simple(f"HostConfig.LogConfig.Config: log opt {option}", text)
    try:
        return re.compile(text)
    except re.error as error:
        raise InvalidParameter(f"HostConfig.LogConfig.Config: log opt {option}: {error}") from None


def show_logging(logging: Logging) -> JsonObject:
    driver = "none" if logging.driver is LogDriver.NONE else logging.asked_as or DEFAULT_DRIVER
    return {"Type": DEFAULT_DRIVER if driver == "k8s-file" else driver, "Config": dict(logging.options)}


def log_attributes(container: Container) -> Mapping[str, str]:
    """What the log options say of each line of a container: shown where a client asks for details.

    Docker keeps them with the lines, and a tag with the name from then; here it is the one from now.
    """
    options, process = container.options.logging.options, container.options.process
    labels, env = container.options.identity.labels, dict(entry.split("=", 1) for entry in process.env if "=" in entry)
    found = {name: labels[name] for name in _chosen("labels", options, labels)}
    found |= {name: env[name] for name in _chosen("env", options, env)}
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


def _chosen(option: str, options: Mapping[str, str], values: Mapping[str, str]) -> Iterator[str]:
    named, expression = options.get(option, "").split(","), _expression(f"{option}-regex", options)
    for name in values:
        if name in named or (expression is not None and expression.search(name)):
            yield name


def ignored(logging: Logging) -> tuple[str, ...]:
    """Warnings for what is accepted and does nothing."""
    options = logging.options
    asked = [name for name, does in (("max-file", "1"), ("compress", "false")) if options.get(name, does) != does]
    return tuple(f"The log option {name} does nothing: one file is kept, and begun anew at max-size." for name in asked)

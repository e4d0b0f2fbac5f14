"""What happened, as the engine tells it; each flavour has its own words for the same event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from msgspec import Struct, field


class Kind(Enum):
    CONTAINER = "container"
    IMAGE = "image"
    VOLUME = "volume"
    NETWORK = "network"


class Action(Enum):
    """The neutral word; `wire` spells it (`died` is Docker's `die`)."""

    ATTACH = "attach"
    CONNECT = "connect"
    CREATE = "create"
    DESTROY = "destroy"
    DETACH = "detach"
    DIED = "died"
    DISCONNECT = "disconnect"
    EXEC_CREATE = "exec_create"
    EXEC_DETACH = "exec_detach"
    EXEC_DIED = "exec_died"
    EXEC_FAILED = "exec_failed"  # to start
    EXEC_START = "exec_start"
    IMPORT = "import"
    INIT = "init"
    KILL = "kill"
    LOAD = "load"
    MOUNT = "mount"
    OOM = "oom"
    PULL = "pull"
    PULL_ERROR = "pull-error"
    PUSH = "push"
    REMOVE = "remove"
    REMOVE_NAME = "remove-name"  # that was asked for, and the image had others
    RENAME = "rename"
    RESIZE = "resize"
    RESTART = "restart"
    SAVE = "save"
    START = "start"
    STOP = "stop"
    TAG = "tag"
    TOP = "top"
    UNMOUNT = "unmount"
    UNTAG = "untag"


class Event(Struct, frozen=True):
    """One row of the log.

    Attributes:
        serial: grows by one with every event; 0 until it is on disk.
        subject: the id (or name, for a volume) of what it happened to.
        attributes: for a container its name, image and labels, and what the action adds (`exitCode`, `signal`); for an
            image `name`, and as `reference` the canonical name that was given or taken. A pull that failed has no
            subject, and says why as `error`.
    """

    kind: Kind
    action: Action
    subject: str
    time: datetime
    attributes: Mapping[str, str] = field(default_factory=dict)
    serial: int = 0

"""The types of JSON values, for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    JsonValue: TypeAlias = bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
    JsonObject: TypeAlias = dict[str, JsonValue]
else:
    # A recursive alias means nothing to decoders that read annotations; what comes in is JSON by then.
    JsonValue = Any
    JsonObject = dict[str, Any]

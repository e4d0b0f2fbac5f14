"""Keys of JSON objects as Go matches them: where a key is no field's name, its case does not count.

Both engines decode so (encoding/json, "Unmarshal"); clients that are written by hand against them rely on it. The
keys of free maps (labels, options) are data and stay as they are.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import fields


def with_known_keys(value: Any, kind: Any) -> Any:
    """`value`, decoded JSON that is to become `kind`, with the fields' own spelling of the keys.

    The same object where nothing had to change.
    """
    if isinstance(value, dict):
        if (struct := _struct_in(kind)) is not None:
            return _object(value, struct)
        if (each := _member_of(kind, dict)) is not None:
            return _unless_same(value, {key: with_known_keys(item, each) for key, item in value.items()})
    elif isinstance(value, list) and (each := _member_of(kind, list)) is not None:
        items = [with_known_keys(item, each) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    return value


def _object(value: dict[str, Any], struct: type[Struct]) -> dict[str, Any]:
    kinds, folded = _names(struct)
    known: dict[str, Any] = {}
    for key, item in value.items():
        name = key if key in kinds else folded.get(key.lower(), key)
        known[name] = with_known_keys(item, kinds[name]) if name in kinds else item
    return _unless_same(value, known)


def _unless_same(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    same = len(old) == len(new) and all(key in old and old[key] is item for key, item in new.items())
    return old if same else new


@cache
def _names(struct: type[Struct]) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """The kinds of the fields by their names in JSON, and these by their lower case."""
    hints = get_type_hints(struct, include_extras=True)
    kinds = {each.encode_name: hints[each.name] for each in fields(struct)}
    return kinds, {name.lower(): name for name in kinds}


@cache
def _alternatives(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Annotated:
        return _alternatives(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(each for part in get_args(kind) for each in _alternatives(part))
    return (kind,)


@cache
def _struct_in(kind: Any) -> type[Struct] | None:
    return next((each for each in _alternatives(kind) if isinstance(each, type) and issubclass(each, Struct)), None)


@cache
def _member_of(kind: Any, container: type) -> Any:
    """What the values of a dict or a list are to become; None where `kind` has no such alternative."""
    for each in _alternatives(kind):
        if get_origin(each) is container:
            return get_args(each)[-1]
    return None

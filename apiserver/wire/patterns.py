"""Regular expressions that clients send, most of them in filters."""

from __future__ import annotations

import re
from typing import Final

from apiserver.errors import InvalidParameter

_LONGEST: Final = 300
_QUANTIFIERS: Final = 3
_STARS: Final = 4
_QUANTIFIER = re.compile(r"[*+?{]")
_QUANTIFIED_GROUP = re.compile(r"\)[*+?{]|\\[1-9]|\(\?")


def compile_pattern(key: str, text: str) -> re.Pattern[str]:
    """What is no regular expression stands for itself.

    Raises:
        InvalidParameter: Python's matcher backtracks where Go's cannot: what could take it long is refused.
    """
    check_simple(f"filter '{key}={text[:_LONGEST]}'", text)
    try:
        return re.compile(text)
    except re.error:
        return re.compile(re.escape(text))


def check_simple(what: str, text: str) -> None:
    """
    Args:
        what: where the expression stands, for the error.

    Raises:
        InvalidParameter: it could take Python's matcher long.
    """
    if len(text) > _LONGEST or _QUANTIFIED_GROUP.search(text) or len(_QUANTIFIER.findall(text)) > _QUANTIFIERS:
        raise InvalidParameter(f"invalid {what}: the expression is too complex")


def compile_glob(key: str, pattern: str) -> re.Pattern[str]:
    """Go's path.Match: `*` and `?` do not match a slash. Neighbouring stars are one: none of it can take long.

    Raises:
        InvalidParameter: too many stars.
    """
    text = ""
    for part in re.split(r"(\*+|\?|\[[^\]/]+\])", pattern[:500]):
        if part.startswith("*"):
            text += "[^/]*"
        elif part == "?":
            text += "[^/]"
        elif part.startswith("[") and part.endswith("]"):
            body = part[1:-1].replace("\\", "\\\\").replace("[", "\\[").replace("&", "\\&").replace("~", "\\~")
            text += f"[{body}]"
        else:
            text += re.escape(part)
    try:
        compiled = re.compile(text)
    except re.error:
        compiled = re.compile(re.escape(pattern))
    if text.count("[^/]*") > _STARS:
        raise InvalidParameter(f"invalid filter '{key}={pattern[:100]}': more than {_STARS} stars")
    return compiled

"""Regular expressions that clients send in filters."""

from __future__ import annotations

import re
from typing import Final

from apiserver.errors import InvalidParameter

_LONGEST: Final = 300
_QUANTIFIERS: Final = 3
_QUANTIFIER = re.compile(r"[*+?{]")
_QUANTIFIED_GROUP = re.compile(r"\)[*+?{]|\\[1-9]|\(\?")


def compile_pattern(key: str, text: str) -> re.Pattern[str]:
    """What is no regular expression stands for itself.

    Raises:
        InvalidParameter: Python's matcher backtracks where Go's cannot: what could take it long is refused.
    """
    if len(text) > _LONGEST or _QUANTIFIED_GROUP.search(text) or len(_QUANTIFIER.findall(text)) > _QUANTIFIERS:
        raise InvalidParameter(f"invalid filter '{key}={text[:_LONGEST]}': the expression is too complex")
    try:
        return re.compile(text)
    except re.error:
        return re.compile(re.escape(text))

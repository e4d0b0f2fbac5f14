"""Words with variables in them, as a Dockerfile has them: `${NAME}`, `${NAME:-else}`, quotes and backslashes.

As github.com/openshift/imagebuilder (shell_parser.go) reads them, but for what takes a pattern out of a value.
"""

from __future__ import annotations

from collections.abc import Mapping

from apiserver.errors import InvalidParameter, NotImplementedYet

_DEEPEST = 50


def substituted(word: str, env: Mapping[str, str]) -> str:
    """The word with the values in it; what is not set is empty.

    Raises:
        InvalidParameter: it breaks off, or says something else than the above.
        NotImplementedYet: `${NAME#pattern}` and the like.
    """
    return _Reader(word, env).until("")


class _Reader:
    def __init__(self, word: str, env: Mapping[str, str]) -> None:
        self._word = word
        self._env = env
        self._at = 0
        self._depth = 0

    def until(self, stop: str) -> str:
        """What there is up to a letter, which is passed; empty: up to the end."""
        found: list[str] = []
        while letter := self._peek():
            self._at += 1
            if letter == stop:
                return "".join(found)
            if letter == "'":
                found.append(self._single_quoted())
            elif letter == '"':
                found.append(self._double_quoted())
            elif letter == "$":
                found.append(self._variable())
            elif letter == "\\":
                found.append(self._take())
            else:
                found.append(letter)
        if stop:
            raise self._wrong(f"unexpected end of statement while looking for matching {stop}")
        return "".join(found)

    def _single_quoted(self) -> str:
        end = self._word.find("'", self._at)
        if end < 0:
            raise self._wrong("unexpected end of statement while looking for matching single-quote")
        quoted, self._at = self._word[self._at : end], end + 1
        return quoted

    def _double_quoted(self) -> str:
        found: list[str] = []
        while (letter := self._take()) != '"':
            if not letter:
                raise self._wrong("unexpected end of statement while looking for matching double-quote")
            if letter == "\\" and self._peek() and self._peek() in '"$\\':
                found.append(self._take())
            elif letter == "$":
                found.append(self._variable())
            else:
                found.append(letter)
        return "".join(found)

    def _variable(self) -> str:
        if self._peek() != "{":
            name = self._name()
            return self._env.get(name, "") if name else "$"
        self._at += 1
        name, letter = self._name(), self._take()
        value = self._env.get(name, "")
        if letter == "}":
            return value
        if letter and letter in "#%/":
            raise NotImplementedYet(f"the substitution ${{{name}{letter}...}}")
        if letter != ":":
            raise self._wrong("missing ':' in substitution")
        modifier = self._take()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong("too many substitutions in each other")
        other = self.until("}")
        self._depth -= 1
        if modifier == "+":
            return other if value else ""
        if modifier == "-" or (modifier == "?" and (value or other)):
            return value or other
        raise self._wrong(
            f"{name} is not allowed to be unset" if modifier == "?" else f"unsupported modifier {modifier}"
        )

    def _name(self) -> str:
        begin = self._at
        if self._peek().isdigit():
            self._at += 1
        else:
            while self._peek().isalnum() or self._peek() == "_":
                self._at += 1
        return self._word[begin : self._at]

    def _peek(self) -> str:
        return self._word[self._at : self._at + 1]

    def _take(self) -> str:
        letter = self._peek()
        self._at += 1
        return letter

    def _wrong(self, why: str) -> InvalidParameter:
        return InvalidParameter(f"unable to process variables of {self._word[:100]!r}: {why}")

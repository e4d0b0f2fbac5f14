"""The versions of programs, asked at once and remembered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from apiserver.config.host.programs import VersionCache, parse_version
from apiserver.drivers.process import Programs
from apiserver.errors import HostError

log = Logger()


class Versions:
    """Asks programs for their version; each file once until it is replaced by another."""

    def __init__(self, programs: Programs, cache: VersionCache) -> None:
        self._programs = programs
        self._cache = cache

    def known(self, found: Mapping[str, Path]) -> dict[str, str]:
        """What is known without asking anybody."""
        return {name: version for name, path in found.items() if (version := self._cache.get(path))}

    async def ask(self, found: Mapping[str, Path]) -> dict[str, str]:
        """The version of each program, all asked side by side; one that does not say is left out.

        Args:
            found: name -> path, such as `Host.programs`.
        """
        unknown = [path for path in set(found.values()) if self._cache.get(path) is None]
        if unknown:
            answers = await gatherResults([Deferred.fromCoroutine(self._version(path)) for path in unknown])
            said = zip(unknown, answers, strict=True)
            self._cache.put({path: version for path, version in said if version is not None})
        return self.known(found)

    async def _version(self, path: Path) -> str | None:
        argv = [str(path), "--version"]
        try:
            done = await self._programs.run(argv, ok_codes=None, time_limit=10.0, stdout_limit=65536)
        except HostError as error:
            log.info("{program} does not say its version: {error}", program=str(path), error=error)
            return None
        return parse_version((done.stdout or done.stderr).decode(errors="replace")) or ""

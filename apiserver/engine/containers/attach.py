"""Clients at the standard streams of a container, also before it is started."""

from __future__ import annotations

from apiserver.engine.ports.streams import ProcessStreams


class Attach:
    async def attach(
        self,
        name_or_id: str,
        *,
        stdin: bool = False,
        stdout: bool = False,
        stderr: bool = False,
        stream: bool = True,
        logs: bool = False,
    ) -> ProcessStreams:
        """Streams of the container's run, or of its next one: reading waits for it, and nothing is lost.

        Only the wanted streams deliver. `close` it in any case.

        Args:
            stream: False: the log alone (`logs`), then the end.
            logs: what it has said so far comes first.
        """
        raise NotImplementedError

"""Giving a container another name."""

from __future__ import annotations

from contextlib import ExitStack

from msgspec.structs import replace

from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.model import State
from apiserver.engine.events.model import Action
from apiserver.engine.locks import Locks
from apiserver.engine.names import container_name
from apiserver.errors import Conflict, InvalidParameter


class RenameRefused(Conflict):
    cause = "container state improper"
    docker = "{subject}"
    libpod = "{subject}: {cause}"


class Rename:
    def __init__(self, ledger: Ledger, locks: Locks) -> None:
        self._ledger = ledger
        self._locks = locks

    async def rename(self, name_or_id: str, name: str) -> None:
        """Rename it, also while it runs: who looks it up finds it by the new name alone.

        What it has for a run (its host name, the name in its /etc/hosts) keeps the old one until the next start.

        Raises:
            NoSuchContainer
            InvalidParameter: that is no name, or its own.
            NameTaken
            RenameRefused: it is being removed.
        """
        registry = self._ledger.registry
        container_id = registry.get(name_or_id).id
        name = container_name(name)
        with ExitStack() as reserved:
            async with self._locks.names("rename"):
                if registry.by_id(container_id).name == name:
                    raise InvalidParameter("Renaming a container with the same name as its current name")
                reserved.enter_context(registry.reserve(container_id, name))
            # The name is kept by now: others need not wait for theirs while this container is busy.
            async with self._locks.container(container_id, "rename"):
                container = registry.by_id(container_id)
                if container.state is State.REMOVING:
                    raise RenameRefused(f"container {container.id} is being removed")
                renamed = replace(container, name=name)
                told = self._ledger.event(renamed, Action.RENAME, oldName=f"/{container.name}")
                await self._ledger.record(renamed, told)

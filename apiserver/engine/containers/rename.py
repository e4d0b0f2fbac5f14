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

    async def rename(self, name_or_id: str, name: str, *, to_its_own: bool = False) -> None:
        """Rename it, also while it runs: who looks it up finds it by the new name alone.

        What it has for a run (its host name, the name in its /etc/hosts) keeps the old one until the next start.

        Args:
            to_its_own: the name that it has is one like any other, and told of as such.

        Raises:
            NoSuchContainer
            InvalidParameter: that is no name, or its own and not `to_its_own`.
            NameTaken
            RenameRefused: it is being removed.
        """
        container_id = self._ledger.registry.get(name_or_id).id
        while not await self._renamed(container_id, container_name(name), to_its_own):
            pass

    async def _renamed(self, container_id: str, name: str, to_its_own: bool) -> bool:
        """False where it had that name and got another while this one waited: somebody else may have it by now."""
        registry = self._ledger.registry
        with ExitStack() as reserved:
            async with self._locks.names("rename"):
                own = registry.by_id(container_id).name == name
                if not own:
                    reserved.enter_context(registry.reserve(container_id, name))
                elif not to_its_own:
                    raise InvalidParameter("Renaming a container with the same name as its current name")
            # The name is kept by now: others need not wait for theirs while this container is busy.
            async with self._locks.container(container_id, "rename"):
                container = registry.by_id(container_id)
                if container.state is State.REMOVING:
                    raise RenameRefused(f"container {container.id} is being removed")
                if own and container.name != name:
                    return False
                renamed = replace(container, name=name)
                told = self._ledger.event(renamed, Action.RENAME, oldName=f"/{container.name}")
                await self._ledger.record(renamed, told)
                return True

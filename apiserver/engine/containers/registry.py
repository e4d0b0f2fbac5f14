"""The live containers, by id and by name: read without a lock, written after the commit."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

from msgspec import Struct

from apiserver.engine.containers.model import Container, State
from apiserver.engine.names import may_be_id
from apiserver.errors import Conflict, InvalidParameter, NoSuchContainer


class NameTaken(Conflict):
    cause = "that name is already in use"

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(name)
        self.libpod = (
            f'the container name "{name}" is already in use by {holder}.'
            " You have to remove that container to be able to reuse that name: {cause}"
        )
        self.docker = (
            f'Conflict. The container name "/{name}" is already in use by container "{holder}".'
            " You have to remove (or rename) that container to be able to reuse that name."
        )


class AmbiguousPrefix(InvalidParameter):
    cause = "more than one result"
    docker = "multiple IDs found with provided prefix: {subject}"
    libpod = '{cause} for container "{subject}": container already exists'


class Reservation(Struct):
    """What a container that is being made will have; in use from now on."""

    id: str
    name: str
    image_id: str = ""
    volumes: tuple[str, ...] = ()


class Registry:
    def __init__(self, containers: Iterable[Container] = ()) -> None:
        self._by_id: dict[str, Container] = {}
        self._by_name: dict[str, str] = {}
        self._reserved: dict[str, Reservation] = {}
        self._followers: list[Callable[[str, Container | None], None]] = []
        for container in containers:
            self.put(container)

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, name_or_id: str) -> Container:
        """The container that a client means: an exact name wins, then a whole id, then the one id that begins so.

        Raises:
            NoSuchContainer
            AmbiguousPrefix: several ids begin so.
        """
        name = name_or_id.removeprefix("/")
        if (full := self._by_name.get(name)) is not None:
            return self._by_id[full]
        if (container := self._by_id.get(name)) is not None:
            return container
        found = [c for c in self._by_id.values() if c.id.startswith(name)] if may_be_id(name) else []
        if len(found) > 1:
            raise AmbiguousPrefix(name_or_id)
        if not found:
            raise NoSuchContainer(name_or_id)
        return found[0]

    def find(self, container_id: str) -> Container | None:
        """By its whole id; None where it is gone."""
        return self._by_id.get(container_id)

    def by_id(self, container_id: str) -> Container:
        """By its whole id.

        Raises:
            NoSuchContainer
        """
        try:
            return self._by_id[container_id]
        except KeyError:
            raise NoSuchContainer(container_id) from None

    def all(self) -> tuple[Container, ...]:
        """Newest first."""
        return tuple(sorted(self._by_id.values(), key=lambda c: c.created, reverse=True))

    def follow(self, follower: Callable[[str, Container | None], None]) -> None:
        """Whom to tell of each change that is shown: the id, and the container or, once it is gone, None."""
        self._followers.append(follower)

    def put(self, container: Container) -> None:
        """Show what was committed."""
        old = self._by_id.get(container.id)
        if old is not None and old.name != container.name:
            del self._by_name[old.name]
        self._by_id[container.id] = container
        self._by_name[container.name] = container.id
        self._tell(container.id, container)

    def drop(self, container_id: str) -> None:
        container = self._by_id.pop(container_id, None)
        if container is not None:
            self._by_name.pop(container.name, None)
            self._tell(container_id, None)

    def _tell(self, container_id: str, container: Container | None) -> None:
        for follower in self._followers:
            follower(container_id, container)

    def name_is_free(self, name: str) -> bool:
        return name not in self._by_name and name not in self._reserved

    @contextmanager
    def reserve(self, container_id: str, name: str) -> Generator[Reservation, None, None]:
        """Keep a name for a container that is being made; what the reservation names is in use as if it were there.

        Raises:
            NameTaken
        """
        if (holder := self._by_name.get(name)) is not None:
            raise NameTaken(name, holder)
        if (other := self._reserved.get(name)) is not None:
            raise NameTaken(name, other.id)
        reservation = self._reserved[name] = Reservation(container_id, name)
        try:
            yield reservation
        finally:
            del self._reserved[name]

    def users_of_volume(self, name: str) -> tuple[str, ...]:
        """Ids of the containers that have a volume; one that is being removed no longer has it."""
        return (
            *(c.id for c in self._by_id.values() if name in c.volumes and c.state is not State.REMOVING),
            *(r.id for r in self._reserved.values() if name in r.volumes),
        )

    def users_of_image(self, image_id: str) -> tuple[str, ...]:
        """Ids of the containers, also of those being made, that are made of an image."""
        return (
            *(c.id for c in self._by_id.values() if c.image_id == image_id),
            *(r.id for r in self._reserved.values() if r.image_id == image_id),
        )

"""What an inspection tells of a container beyond its record."""

from __future__ import annotations

from apiserver.engine.containers.inspect import Inspect
from apiserver.engine.ports.images import Image
from apiserver.errors import HostError
from tests.support.engine import IMAGE, Engine, ImagesDouble, result_of


class BrokenImages(ImagesDouble):
    async def find(self, name_or_id: str, _: object = None, /) -> Image:
        raise HostError("the image store cannot be read")


def test_before_its_first_run_a_container_has_the_places_of_that_run() -> None:
    engine = Engine()
    container = engine.create()
    found = result_of(engine.containers.inspect.of(container))
    assert found.facts.pid_file == f"/runs/{container.id}/1/pid"
    assert (found.facts.hosts_file, found.facts.monitor_pid) == ("", None)


def test_a_container_has_the_places_of_its_newest_run() -> None:
    engine = Engine()
    engine.started()
    engine.exit()
    result_of(engine.containers.start.start("box"))
    found = result_of(engine.containers.inspect.of(engine.container()))
    assert found.facts.pid_file == f"/runs/{engine.container().id}/2/pid"
    assert found.facts.monitor_pid == 2002


def test_the_image_is_told_for_as_long_as_it_is_there() -> None:
    engine = Engine()
    container = engine.create()
    image = result_of(engine.containers.inspect.of(container)).image
    assert image is not None
    assert image.id == IMAGE
    engine.images.gone = True
    assert result_of(engine.containers.inspect.of(container)).image is None


def test_a_container_is_inspected_also_while_the_images_cannot_be_read() -> None:
    engine = Engine()
    container = engine.create()
    found = result_of(Inspect(engine.runs, BrokenImages()).of(container))
    assert found.image is None
    assert found.facts.directory

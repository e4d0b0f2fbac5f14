from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from apiserver.engine.events.log import EventLog
from apiserver.engine.events.model import Action, Event
from apiserver.engine.images.lookup import stored_name
from apiserver.engine.images.remove import ImageHasChildren, ImageHasNames, ImageInUse, ImageStays, ImageUser
from apiserver.engine.images.service import Images
from apiserver.engine.locks import Locks
from apiserver.engine.names import DOCKER_NAMES, LIBPOD_NAMES, InvalidReference, ShortNames
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.records import Change
from apiserver.errors import InvalidParameter, NoSuchImage
from apiserver.http.flavour import Flavour
from tests.fakes.images import FakeImageSource, archive_of, image
from tests.support.bytes_source import Pieces
from tests.support.results import result_of

HUB = "docker.io/library"
DIGEST = "sha256:" + "cd" * 32
FOO = image("foo", f"{HUB}/foo:latest", f"{HUB}/foo:1", labels={"a": "b"})
BAR = image("bar", "localhost/bar:latest", f"quay.io/me/bar@{DIGEST}")
STEP = image("step", parent=FOO)
BUILT = image("built", f"{HUB}/built:latest", parent=STEP)


class Journal(EventLog):
    def __init__(self) -> None:
        self.events: list[tuple[Action, str, str]] = []
        self.references: list[tuple[Action, str]] = []

    async def commit(self, *changes: Change) -> None:
        for change in changes:
            assert isinstance(change, Event)
            self.events.append((change.action, change.subject, change.attributes["name"]))
            self.references.append((change.action, change.attributes.get("reference", "")))


class World:
    def __init__(self, *images: Image) -> None:
        self.source = FakeImageSource(*images)
        self.journal = Journal()
        self.users: dict[str, list[ImageUser]] = {}
        clock = Clock()
        self.locks = Locks(clock)
        self.aliases: dict[str, Sequence[str]] = {}
        self.images = Images(self.source, self.journal, self.locks, self._users, clock, self._candidates)

    async def _candidates(self, short_name: str) -> Sequence[str]:
        return self.aliases.get(short_name, ())

    def _users(self, image_id: str) -> Sequence[ImageUser]:
        return self.users.get(image_id, ())

    def names(self, one: Image) -> tuple[str, ...] | None:
        images = result_of(self.source.images())
        return (*images[one.id].names, *images[one.id].digests) if one.id in images else None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (FOO.id, FOO),
        (f"sha256:{FOO.id}", FOO),
        (FOO.id[:12], FOO),
        (f"sha256:{FOO.id[:12]}", FOO),
        ("foo", FOO),
        ("foo:1", FOO),
        ("docker.io/library/foo", FOO),
        ("bar", BAR),
        ("localhost/bar", BAR),
        (f"quay.io/me/bar@{DIGEST}", BAR),
        (f"foo@{FOO.manifest_digest}", FOO),
        (f"foo:1@{FOO.manifest_digest}", FOO),
    ],
)
def test_an_image_is_found_by_name_by_id_and_by_the_beginning_of_an_id(text: str, found: Image) -> None:
    assert result_of(World(FOO, BAR).images.find(text)).id == found.id


@pytest.mark.parametrize("text", ["nope", "foo:2", "0" * 64, f"bar@{FOO.manifest_digest}", "sha256:" + "0" * 64])
def test_what_is_not_there_is_no_such_image(text: str) -> None:
    with pytest.raises(NoSuchImage):
        result_of(World(FOO, BAR).images.find(text))


@pytest.mark.parametrize(
    ("text", "short_names", "found"),
    [
        ("x", DOCKER_NAMES, "docker.io/library/x:latest"),
        ("x", LIBPOD_NAMES, "localhost/x:latest"),
        ("docker.io/x", LIBPOD_NAMES, "docker.io/library/x:latest"),
        ("hub", LIBPOD_NAMES, "docker.io/library/hub:latest"),
        ("mine", DOCKER_NAMES, "localhost/mine:latest"),
        ("c", LIBPOD_NAMES, "quay.io/a/b/c:latest"),
        ("b/c", LIBPOD_NAMES, "quay.io/a/b/c:latest"),
        ("c:1", LIBPOD_NAMES, None),
        ("c", DOCKER_NAMES, None),
        ("quay.io/c", LIBPOD_NAMES, None),
        ("localhost/c", LIBPOD_NAMES, None),
        ("/c", LIBPOD_NAMES, None),
    ],
)
def test_a_short_name_means_to_each_client_what_it_would_store_and_then_what_else_there_is(
    text: str, short_names: ShortNames, found: str | None
) -> None:
    hub = [f"{HUB}/x:latest", f"{HUB}/hub:latest"]
    world = World(
        *(image(name, name) for name in (*hub, "localhost/x:latest", "localhost/mine:latest", "quay.io/a/b/c:latest"))
    )
    if found is None:
        with pytest.raises((NoSuchImage, InvalidReference)):
            result_of(world.images.find(text, short_names))
    else:
        assert result_of(world.images.find(text, short_names)).names == (found,)


def test_an_alias_means_its_image_to_podman_where_nothing_is_called_so() -> None:
    aliased, other = image("x", "quay.io/me/tool:1"), image("y", "localhost/other:latest")
    world = World(aliased, other)
    world.aliases = {"short:1": ["quay.io/me/tool:1"], "other": ["quay.io/me/tool:1"], "gone": ["quay.io/me/gone"]}
    assert result_of(world.images.find("short:1", LIBPOD_NAMES)).id == aliased.id
    assert result_of(world.images.find("other", LIBPOD_NAMES)).id == other.id
    for text, short_names in (("short:1", DOCKER_NAMES), ("gone", LIBPOD_NAMES), ("localhost/short:1", LIBPOD_NAMES)):
        with pytest.raises(NoSuchImage):
            result_of(world.images.find(text, short_names))
    assert stored_name(aliased, "short:1", LIBPOD_NAMES) == "quay.io/me/tool:1"
    removed = result_of(world.images.remove("short:1", short_names=LIBPOD_NAMES))
    assert (removed.untagged, removed.deleted) == (["quay.io/me/tool:1"], [aliased.id])


def test_a_loaded_name_without_a_domain_belongs_where_the_client_keeps_its_own() -> None:
    for short_names, stored in ((DOCKER_NAMES, f"{HUB}/x:1"), (LIBPOD_NAMES, "localhost/x:1")):
        (loaded,) = result_of(World().images.load(Pieces(archive_of(("x", ["x:1"]))), short_names))
        assert loaded.names == (stored,)


def test_the_words_for_a_missing_name_are_dockers() -> None:
    with pytest.raises(NoSuchImage) as missing:
        result_of(World().images.find("nope"))
    assert missing.value.docker.format(subject=missing.value.subject) == "No such image: nope:latest"


@pytest.mark.parametrize("text", ["", "a b", "Foo", "sha256:xyz", "foo@bar"])
def test_what_can_be_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        result_of(World(FOO).images.find(text))


def test_a_beginning_that_two_ids_share_names_neither() -> None:
    images = [image(str(number)) for number in range(40)]
    shared = next(d for d in "0123456789abcdef" if sum(i.id.startswith(d) for i in images) > 1)
    with pytest.raises(NoSuchImage):
        result_of(World(*images).images.find(shared))


def test_a_name_wins_over_the_beginning_of_an_id() -> None:
    named = image("named", f"{HUB}/{FOO.id[:4]}:latest")
    assert result_of(World(FOO, named).images.find(FOO.id[:4])).id == named.id


def test_load_tells_what_came_in_and_records_an_event_for_each() -> None:
    world = World()
    loaded = result_of(world.images.load(Pieces(archive_of(("x", [f"{HUB}/x:1"]), ("y", [])))))
    assert [each.names for each in loaded] == [(f"{HUB}/x:1",), ()]
    assert world.journal.events == [(Action.LOAD, each.id, f"sha256:{each.id}") for each in loaded]


def test_a_failed_load_has_no_event() -> None:
    world = World()
    with pytest.raises(InvalidParameter):
        result_of(world.images.load(Pieces(b"rubbish")))
    assert world.journal.events == []


def test_import_applies_the_changes_and_is_named() -> None:
    world = World()
    image_id = result_of(
        world.images.import_layer(
            Pieces(b"tar..."), name=f"{HUB}/x:1", changes=["CMD sleep 1", "ENV A=b"], platform="linux/arm/v7"
        )
    )
    made = result_of(world.images.find("x:1"))
    assert (made.id, made.config.cmd, made.config.env) == (image_id, ("/bin/sh", "-c", "sleep 1"), ("A=b",))
    assert (made.architecture, made.variant, made.comment) == ("arm", "v7", "Imported from -")
    assert world.journal.events == [
        (Action.TAG, image_id, "x:1"),
        (Action.IMPORT, image_id, f"sha256:{image_id}"),
    ]


@pytest.mark.parametrize("platform", ["linux/", "a/b/c/d", "windows", "linux/a b", "linux/../x"])
def test_an_impossible_platform_is_refused(platform: str) -> None:
    with pytest.raises(InvalidParameter, match="platform"):
        result_of(World().images.import_layer(Pieces(b"tar"), platform=platform))


def test_a_tag_moves_to_the_image_that_gets_it() -> None:
    world = World(FOO, BAR)
    result_of(world.images.tag("bar", f"{HUB}/foo:1"))
    assert world.names(FOO) == (f"{HUB}/foo:latest",)
    assert f"{HUB}/foo:1" in (world.names(BAR) or ())
    assert world.journal.events == [(Action.TAG, BAR.id, "foo:1")]


def test_a_name_is_taken_away_and_the_last_one_takes_the_image_along() -> None:
    world = World(FOO)
    first = result_of(world.images.remove("foo:1"))
    assert (first.untagged, first.deleted) == ([f"{HUB}/foo:1"], [])
    assert world.names(FOO) == (f"{HUB}/foo:latest",)
    last = result_of(world.images.remove("foo"))
    assert (last.untagged, last.deleted) == ([f"{HUB}/foo:latest"], [FOO.id])
    assert world.names(FOO) is None
    told = [action for action, *_ in world.journal.events]
    assert told == [Action.UNTAG, Action.REMOVE_NAME, Action.UNTAG, Action.REMOVE]


def test_a_digest_is_forgotten_with_the_last_tag_of_its_repository() -> None:
    digests = tuple(f"quay.io/me/{name}@sha256:{'0' * 64}" for name in ("one", "two"))
    names = tuple(f"quay.io/me/{name}" for name in ("one:1", "one:2", "two:1", "tow:1"))
    known = image("known", *names)
    world = World(replace(known, pulled=digests))
    forgotten = [result_of(world.images.remove(name)).forgotten for name in names[:3]]
    assert forgotten == [[], [digests[0]], [digests[1]]]
    world = World(replace(image("known", names[0]), pulled=digests[:1]))
    removed = result_of(world.images.remove(names[0]))
    assert (removed.forgotten, removed.deleted) == ([digests[0]], [known.id])


USED_BY_C = (
    "^image used by c{64}: image is in use by a container: "
    "consider listing external containers and force-removing image$"
)


@contextmanager
def refused(kind: type[ImageStays], docker: str, libpod: str) -> Iterator[None]:
    """With words for either flavour."""
    with pytest.raises(kind) as caught:
        yield
    assert re.search(docker, Flavour.DOCKER.words(caught.value))
    assert re.search(libpod, Flavour.LIBPOD.words(caught.value))


BY_DIGEST = f"quay.io/me/box@{DIGEST}"


@pytest.mark.parametrize("tag", ["quay.io/me/box:1", "quay.io/me/box:2"])
def test_the_last_tag_of_a_repository_takes_its_digests_along_where_that_is_asked_for(tag: str) -> None:
    tags = ("quay.io/me/box:1", "quay.io/me/box:2")
    both = replace(image("box", *tags), digests=(BY_DIGEST,))
    world = World(both)
    other = next(each for each in tags if each != tag)
    assert result_of(world.images.remove(other, digests=True)).untagged == [other]
    assert world.names(both) == (tag, BY_DIGEST)
    removed = result_of(world.images.remove(tag, digests=True))
    assert (removed.untagged, removed.deleted, world.names(both)) == ([tag, BY_DIGEST], [both.id], None)


def test_a_digest_of_another_repository_stays_and_so_does_one_where_it_is_not_asked_for() -> None:
    box = replace(image("box", "quay.io/me/box:1", "localhost/other:1"), digests=(BY_DIGEST,))
    world = World(box)
    assert result_of(world.images.remove("localhost/other:1", digests=True)).untagged == ["localhost/other:1"]
    assert world.names(box) == ("quay.io/me/box:1", BY_DIGEST)
    result_of(world.images.remove("quay.io/me/box:1", short_names=LIBPOD_NAMES))
    assert world.names(box) == (BY_DIGEST,)
    assert result_of(world.images.remove(BY_DIGEST, digests=True)).deleted == [box.id]


def test_an_image_in_use_loses_its_digests_with_its_last_tag_by_force_alone() -> None:
    box = replace(image("box", "quay.io/me/box:1"), digests=(BY_DIGEST,))
    world = World(box)
    world.users[box.id] = [ImageUser("e" * 64, alive=True)]
    with pytest.raises(ImageInUse, match="image used by"):
        result_of(world.images.remove("quay.io/me/box:1", digests=True))
    removed = result_of(world.images.remove("quay.io/me/box:1", force=True, digests=True))
    assert (removed.untagged, removed.deleted) == (["quay.io/me/box:1", BY_DIGEST], [])
    assert world.names(box) == ()


def test_an_id_with_several_names_needs_force() -> None:
    world = World(FOO)
    with refused(
        ImageHasNames,
        r"\(must be forced\) - image is referenced in multiple repositories",
        "by ID with more than one tag",
    ):
        result_of(world.images.remove(FOO.id[:12]))
    assert world.names(FOO) == (*FOO.names,)
    removed = result_of(world.images.remove(FOO.id[:12], force=True))
    assert (removed.untagged, removed.deleted) == ([*FOO.names], [FOO.id])


def test_an_id_with_one_name_needs_none() -> None:
    world = World(BUILT)
    assert result_of(world.images.remove(BUILT.id)).deleted == [BUILT.id]


def test_an_image_of_a_running_container_stays_and_force_takes_only_its_name() -> None:
    world = World(BUILT)
    world.users[BUILT.id] = [ImageUser("c" * 64, alive=True)]
    with refused(
        ImageInUse,
        r"\(must force\) - container cccccccccccc is using its referenced image",
        USED_BY_C,
    ):
        result_of(world.images.remove("built"))
    with refused(
        ImageInUse,
        r"\(cannot be forced\) - image is being used by running container cccc",
        USED_BY_C,
    ):
        result_of(world.images.remove(BUILT.id, force=True))
    removed = result_of(world.images.remove("built", force=True))
    assert (removed.untagged, removed.deleted) == ([f"{HUB}/built:latest"], [])
    assert world.names(BUILT) == ()


def test_an_image_of_a_stopped_container_goes_only_by_force() -> None:
    world = World(BUILT)
    world.users[BUILT.id] = [ImageUser("c" * 64, alive=False)]
    with refused(
        ImageInUse,
        r"\(must be forced\) - image is being used by stopped container cccc",
        USED_BY_C,
    ):
        result_of(world.images.remove(BUILT.id))
    assert result_of(world.images.remove(BUILT.id, force=True)).deleted == [BUILT.id]


def test_one_of_many_names_goes_whoever_uses_the_image() -> None:
    world = World(FOO)
    world.users[FOO.id] = [ImageUser("c" * 64, alive=True)]
    assert result_of(world.images.remove("foo:1")).untagged == [f"{HUB}/foo:1"]


def test_nameless_ancestors_go_along_unless_they_are_to_stay_or_used() -> None:
    assert result_of(World(FOO, STEP, BUILT).images.remove("built")).deleted == [BUILT.id, STEP.id]
    assert result_of(World(FOO, STEP, BUILT).images.remove("built", prune=False)).deleted == [BUILT.id]
    world = World(FOO, STEP, BUILT)
    world.users[STEP.id] = [ImageUser("c" * 64, alive=False)]
    assert result_of(world.images.remove("built")).deleted == [BUILT.id]


def test_a_parent_stays_even_by_force() -> None:
    world = World(FOO, STEP, BUILT)
    with refused(
        ImageHasChildren, r"\(cannot be forced\) - image has dependent child images", "image has dependent child images"
    ):
        result_of(world.images.remove(STEP.id, force=True))


def test_a_parent_goes_where_it_may_and_counts_as_untagged() -> None:
    world = World(FOO, STEP, BUILT)
    removed = result_of(world.images.remove(FOO.id, force=True, parents=True))
    assert (removed.untagged, removed.deleted) == ([*FOO.names], [])
    assert FOO.id not in {image.id for image in result_of(world.images.all())}
    world = World(FOO, replace(STEP, names=("localhost/step:1",)), BUILT)
    removed = result_of(world.images.remove("localhost/step:1", parents=True))
    assert (removed.untagged, removed.deleted) == (["localhost/step:1"], [])
    world.users[FOO.id] = [ImageUser("c" * 64, alive=True)]
    with pytest.raises(ImageInUse):
        result_of(world.images.remove(FOO.id, force=True, parents=True))


def test_an_id_takes_many_names_where_all_images_go() -> None:
    world = World(FOO)
    world.users[FOO.id] = [ImageUser("c" * 64, alive=False)]
    with pytest.raises(ImageInUse):
        result_of(world.images.remove(FOO.id, whatever_names=True))
    world.users.clear()
    assert result_of(world.images.remove(FOO.id, whatever_names=True)).deleted == [FOO.id]


def test_remove_waits_for_a_container_that_is_being_made_of_the_image_and_then_sees_it() -> None:
    world, gate = World(BUILT), Deferred[None]()

    async def create() -> None:
        async with world.locks.image(BUILT.id, "create"):
            await gate
            world.users[BUILT.id] = [ImageUser("c" * 64, alive=False)]

    Deferred.fromCoroutine(create())
    removing = Deferred.fromCoroutine(world.images.remove("built"))
    assert not removing.called
    gate.callback(None)
    with pytest.raises(ImageInUse):
        result_of(removing)
    assert world.names(BUILT) == (f"{HUB}/built:latest",)


def test_events_of_an_image_have_the_name_that_they_are_about() -> None:
    world = World(FOO)
    result_of(world.images.tag("foo:1", "quay.io/me/foo:2"))
    result_of(world.images.untag("foo:1", "quay.io/me/foo:2"))
    result_of(world.images.remove(FOO.id, force=True))
    told = dict(world.journal.references[:2])
    assert told == {Action.TAG: "quay.io/me/foo:2", Action.UNTAG: "quay.io/me/foo:2"}
    assert world.journal.references[-1] == (Action.REMOVE, FOO.names[-1])

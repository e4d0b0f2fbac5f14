"""What the client asks over what the image says, where they meet."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.merge import merged
from apiserver.engine.containers.options import ContainerOptions, Mounts, Process
from apiserver.engine.containers.options.mounts import (
    ImageVolumes,
    Mount,
    MountKind,
    read_volumes_from,
    with_mounts_of_others,
)
from apiserver.engine.containers.options.process import validated
from apiserver.engine.containers.words import substituted
from apiserver.engine.ports.images import ImageConfig
from apiserver.errors import InvalidParameter, NotImplementedYet

IMAGE = ImageConfig(env=("A=image", "B=image"), volumes=("/data", "/more"))


def env(**asked: Any) -> set[str]:
    options = ContainerOptions(process=Process(command=("x",), **asked))
    return set(validated(merged(options, IMAGE).process).env)


def test_the_default_environment_is_below_the_images_and_that_below_the_clients() -> None:
    assert env(default_env=("A=default", "C=default")) == {"A=image", "B=image", "C=default"}
    assert env(default_env=("C=default",), env=("C=client", "A")) == {"B=image", "C=client"}


def test_without_the_images_environment_the_clients_alone_is_left() -> None:
    assert env(default_env=("C=default",), image_env=False, env=("D=client",)) == {"D=client"}


def test_what_is_merged_is_between_the_images_and_the_clients_and_each_knows_those_before_it() -> None:
    assert env(env_merge=("A=${A}-more", "C=$A", "B=$D"), env=("B=client",)) == {
        "A=image-more",
        "C=image-more",
        "B=client",
    }
    assert env(env_merge=("PATH=$PATH:/mine",), env=("B", "A")) == {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/mine"
    }
    assert env(env_merge=("A=$A-more",), image_env=False) == set()
    with pytest.raises(InvalidParameter, match="missing `=`"):
        env(env_merge=("A",))


@pytest.mark.parametrize(
    ("word", "read"),
    [
        ("$X-${X}-$XY-${none}$", "x-x--$"),
        ("${N:-a$X}${X:-b}${N:+c}${X:+d}${X:?e}${N:?f}", "axxdxf"),
        ('\'$X\' "$X" "\'\\$X\\a" \\$X\\', "$X x '$X\\a $X"),
        ("$1$X", "x"),
        ("${N:-'}'}", "}"),
    ],
)
def test_variables_and_quotes_in_a_word(word: str, read: str) -> None:
    assert substituted(word, {"X": "x"}) == read


@pytest.mark.parametrize("word", ["${X", "${X:-", "'", '"', "${N:?}", "${X:=a}", "${X!}", "${N:-" * 60 + "}" * 60])
def test_a_word_that_breaks_off_or_says_something_else_is_refused(word: str) -> None:
    with pytest.raises(InvalidParameter, match="unable to process"):
        substituted(word, {"X": "x"})


def test_taking_patterns_out_of_a_value_is_not_built() -> None:
    with pytest.raises(NotImplementedYet, match="X#"):
        substituted("${X#a}", {"X": "ab"})


def test_a_port_or_a_stop_signal_that_there_is_none_of_is_left_out_of_what_an_image_says() -> None:
    image = ImageConfig(exposed_ports=("81/foo", "80/tcp", "70000/tcp", ""), stop_signal="BOGUS")
    options = merged(ContainerOptions(), image)
    assert (options.network.exposed, options.process.stop_signal) == (("80/tcp",), "")
    asked = merged(ContainerOptions(process=Process(stop_signal="NOPE")), replace(image, stop_signal="SIGINT"))
    assert asked.process.stop_signal == "NOPE"  # for validation to refuse
    assert merged(ContainerOptions(), replace(image, stop_signal="SIGINT")).process.stop_signal == "SIGINT"


def volumes(wanted: ImageVolumes, *mounts: Mount) -> list[Mount]:
    return list(merged(ContainerOptions(mounts=Mounts(mounts, image_volumes=wanted)), IMAGE).mounts.mounts)


def test_an_images_volumes_are_made_anonymous_or_in_memory_or_not_at_all() -> None:
    found = volumes(ImageVolumes.ANONYMOUS)
    assert [(each.kind, each.target, each.anonymous) for each in found] == [
        (MountKind.VOLUME, "/data", True),
        (MountKind.VOLUME, "/more", True),
    ]
    found = volumes(ImageVolumes.TMPFS)
    assert [(each.kind, each.target, each.anonymous) for each in found] == [
        (MountKind.TMPFS, "/data", False),
        (MountKind.TMPFS, "/more", False),
    ]
    assert "tmpcopyup" in found[0].tmpfs_options
    assert volumes(ImageVolumes.IGNORE) == []


@pytest.mark.parametrize("wanted", [ImageVolumes.ANONYMOUS, ImageVolumes.TMPFS])
def test_what_the_client_mounts_there_comes_instead(wanted: ImageVolumes) -> None:
    mine = Mount(MountKind.BIND, "/data/", source="/s")
    found = volumes(wanted, mine)
    assert (found[0], [each.target for each in found]) == (mine, ["/data/", "/more"])


def test_of_two_mounts_at_one_target_the_clients_own_counts_and_of_others_the_later() -> None:
    def volume(target: str, source: str = "", *, read_only: bool = False) -> Mount:
        return Mount(MountKind.VOLUME, target, source=source, read_only=read_only, asked_as="x")

    mine = Mounts((volume("/a", "mine"), volume("/b/")))
    first = Mounts((volume("/a", "1"), volume("/b", "1"), volume("/c", "1"), Mount(MountKind.TMPFS, "/t")))
    second = Mounts((volume("/c", "2"), volume("/d", "2", read_only=True)))
    found = with_mounts_of_others(mine, [(first, True), (second, False)]).mounts
    assert [(each.target, each.source, each.read_only, each.inherited) for each in found] == [
        ("/a", "mine", False, False),
        ("/b", "1", True, True),
        ("/c", "2", False, True),
        ("/d", "2", True, True),
    ]
    assert {each.asked_as for each in found[1:]} == {""}


@pytest.mark.parametrize(
    ("text", "read"), [("a", ("a", False)), ("a:", ("a", False)), ("a:ro,z", ("a", True)), ("a:rw", ("a", False))]
)
def test_how_it_is_said_whose_mounts_are_wanted(text: str, read: tuple[str, bool]) -> None:
    assert read_volumes_from(text) == read


@pytest.mark.parametrize("text", ["", ":ro", "a:x", "a:ro,rw", "a:ro,ro", "a:nocopy", "a:ro:z", "a:rslave"])
def test_how_it_is_not_said(text: str) -> None:
    with pytest.raises(InvalidParameter):
        read_volumes_from(text)


@pytest.mark.parametrize(
    "argv", [("/sbin/init",), ("/usr/lib/systemd/systemd", "x"), ("/bin/sh", "-c", "/usr/sbin/init")]
)
def test_an_init_is_refused_where_it_would_have_to_be_run_as_one(argv: tuple[str, ...]) -> None:
    with pytest.raises(NotImplementedYet, match="systemd"):
        validated(Process(command=argv, systemd=True))
    assert validated(Process(command=argv)).argv == argv


@pytest.mark.parametrize("argv", [("sh", "-c", "true"), ("/bin/init",), ("systemd-notify",)])
def test_other_programs_are_not_taken_for_an_init(argv: tuple[str, ...]) -> None:
    assert validated(Process(command=argv, systemd=True)).argv == argv


def test_a_umask_is_of_three_octal_digits() -> None:
    assert validated(Process(command=("x",), umask=0o777)).umask == 0o777
    with pytest.raises(InvalidParameter, match="umask"):
        validated(Process(command=("x",), umask=0o1000))

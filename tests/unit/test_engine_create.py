"""Creating containers: merged by Docker's rules, checked, named once, and nothing behind a failure."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.merge import merged_env
from apiserver.engine.containers.model import State
from apiserver.engine.containers.options import (
    ContainerOptions,
    Identity,
    Lifecycle,
    Limits,
    Logging,
    Mounts,
    Namespaces,
    Network,
    Process,
)
from apiserver.engine.containers.options.lifecycle import RestartPolicy
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.containers.registry import AmbiguousPrefix, NameTaken
from apiserver.engine.images.platform import OtherPlatform
from apiserver.engine.names import InvalidContainerName
from apiserver.engine.ports.images import Healthcheck, ImageConfig
from apiserver.errors import (
    HostError,
    InvalidParameter,
    NoSuchContainer,
    NoSuchImage,
    NoSuchNetwork,
    NotImplementedYet,
)
from apiserver.http.flavour import Flavour
from tests.support.engine import IMAGE, NO_NETWORK, Engine, failure_of, result_of, spawn

WITH_VOLUMES = replace(
    NO_NETWORK, mounts=Mounts((Mount(MountKind.VOLUME, "/data"), Mount(MountKind.VOLUME, "/db", source="db")))
)


def create(image: ImageConfig, options: ContainerOptions = ContainerOptions()) -> ContainerOptions:  # noqa: B008
    engine = Engine()
    engine.images.config = image
    return engine.create(options).options


def test_a_created_container_is_recorded_and_told() -> None:
    engine = Engine()
    container = engine.create(replace(NO_NETWORK, identity=Identity(labels={"a": "1"})))
    assert engine.records.containers == {container.id: container}
    assert (container.image_id, container.image_name, container.runtime) == (IMAGE, "busybox", "crun")
    event = engine.last_event()
    assert (event.action.value, event.subject) == ("create", container.id)
    assert event.attributes == {"a": "1", "image": "busybox", "name": "box"}
    assert engine.machine.files == set(), "nothing is made before the first start"


def test_on_the_hosts_network_it_is_called_like_the_host_where_nothing_else_is_asked_for() -> None:
    on_host = ContainerOptions(network=Network(mode="host"))
    assert Engine().create(on_host).options.identity.hostname == "host"
    named = replace(on_host, identity=Identity(hostname="db"))
    assert Engine().create(named).options.identity.hostname == "db"
    sharing = replace(on_host, namespaces=Namespaces(uts=Namespace.HOST))
    assert Engine().create(sharing).options.identity.hostname == ""
    assert Engine().create(NO_NETWORK).options.identity.hostname == ""


@pytest.mark.parametrize("name", ["two words", "line\nfeed", "x" * 65])
def test_a_host_whose_name_is_none_gives_it_to_no_container(name: str) -> None:
    engine = Engine(host_name=name)
    assert engine.create(ContainerOptions(network=Network(mode="host"))).options.identity.hostname == ""


@pytest.mark.parametrize(
    ("image", "asked", "argv"),
    [
        ((None, ("sh",)), (None, None), ("sh",)),
        ((("tini",), ("sh",)), (None, None), ("tini", "sh")),
        ((("tini",), ("sh",)), (None, ("ls",)), ("tini", "ls")),
        ((("tini",), ("sh",)), (("echo",), None), ("echo",)),
        ((("tini",), ("sh",)), (("echo",), ("x",)), ("echo", "x")),
        ((("tini",), ("sh",)), ((), ("ls",)), ("ls",)),
        ((("tini",), ("sh",)), ((), None), ("sh",)),
        ((("tini",), ("sh",)), (("",), ("ls",)), ("ls",)),
    ],
)
def test_what_runs_is_merged_as_docker_does(
    image: tuple[tuple[str, ...] | None, tuple[str, ...] | None],
    asked: tuple[tuple[str, ...] | None, tuple[str, ...] | None],
    argv: tuple[str, ...],
) -> None:
    options = ContainerOptions(process=Process(entrypoint=asked[0], command=asked[1]))
    assert create(ImageConfig(entrypoint=image[0], cmd=image[1]), options).process.argv == argv


def test_an_emptied_entrypoint_without_a_command_is_no_container() -> None:
    engine = Engine()
    options = ContainerOptions(process=Process(entrypoint=("",)))
    assert "no command specified" in str(failure_of(engine.containers.create.create("box", "busybox", options)))


def test_the_image_fills_in_what_the_client_leaves_open() -> None:
    image = ImageConfig(
        cmd=("sh",),
        env=("PATH=/bin", "A=image", "B=image"),
        working_dir="/srv",
        user="www",
        labels={"a": "image", "b": "image"},
        exposed_ports=("80/tcp",),
        volumes=("/data",),
        stop_signal="SIGINT",
    )
    asked = ContainerOptions(
        process=Process(env=("A=client", "C=1", "B")),
        identity=Identity(labels={"a": "client"}),
        network=Network(exposed=("53/udp",)),
    )
    options = create(image, asked)
    assert options.process.env == ("A=client", "C=1", "PATH=/bin")
    assert (options.process.working_dir, options.process.user) == ("/srv", "www")
    assert options.process.stop_signal == "SIGINT"
    assert options.identity.labels == {"a": "client", "b": "image"}
    assert options.network.exposed == ("53/udp", "80/tcp")
    (mount,) = options.mounts.mounts
    assert (mount.target, mount.anonymous, mount.from_image, len(mount.source)) == ("/data", True, True, 64)


def test_each_name_is_once_in_the_environment_and_the_services_own_is_never_taken() -> None:
    assert merged_env(("A=1", "B=2"), ("A=2", "A=3")) == ("A=3", "B=2")
    assert create(ImageConfig(cmd=("sh",)), ContainerOptions(process=Process(env=("HOME",)))).process.env == ()


def test_a_working_directory_is_the_root_where_nobody_says() -> None:
    assert create(ImageConfig(cmd=("sh",))).process.working_dir == "/"


def test_zero_fields_of_a_health_check_are_the_images() -> None:
    image = ImageConfig(cmd=("sh",), healthcheck=Healthcheck(("CMD", "true"), interval_ns=10**9, retries=3))
    assert create(image).lifecycle.health == image.healthcheck
    asked = ContainerOptions(lifecycle=Lifecycle(health=Healthcheck(interval_ns=5 * 10**9)))
    health = create(image, asked).lifecycle.health
    assert health == Healthcheck(("CMD", "true"), interval_ns=5 * 10**9, retries=3)
    none = ContainerOptions(lifecycle=Lifecycle(health=Healthcheck(("NONE",))))
    assert create(image, none).lifecycle.health == Healthcheck(("NONE",), interval_ns=10**9, retries=3)


@pytest.mark.parametrize("target", ["/data", "/data/"])
@pytest.mark.parametrize(
    "mount",
    [
        Mount(MountKind.BIND, "/data", source="/srv"),
        Mount(MountKind.TMPFS, "/data"),
        Mount(MountKind.VOLUME, "/data/", source="db"),
        Mount(MountKind.VOLUME, "/data"),
    ],
)
def test_what_the_client_mounts_takes_the_place_of_the_images_volume(mount: Mount, target: str) -> None:
    image = ImageConfig(cmd=("sh",), volumes=(target,))
    (merged,) = create(image, ContainerOptions(mounts=Mounts((mount,)))).mounts.mounts
    assert (merged.kind, merged.target, merged.from_image) == (mount.kind, "/data", False)


def test_two_mounts_at_one_place_are_refused() -> None:
    engine = Engine()
    mounts = Mounts((Mount(MountKind.BIND, "/data", source="/a"), Mount(MountKind.TMPFS, "/data/")))
    failure = failure_of(engine.containers.create.create(None, "busybox", ContainerOptions(mounts=mounts)))
    assert isinstance(failure, InvalidParameter)
    assert failure.subject == "Duplicate mount point: /data"


def test_volumes_are_made_with_the_container_and_an_existing_one_is_taken() -> None:
    engine = Engine()
    result_of(engine.volumes.create("db"))
    container = engine.create(WITH_VOLUMES)
    anonymous, named = container.options.mounts.mounts
    assert (anonymous.anonymous, named.anonymous) == (True, False)
    assert engine.machine.volumes == {anonymous.source, "db"}
    assert engine.registry.users_of_volume("db") == (container.id,)


@pytest.mark.parametrize("step", ["volumes.create", "commit", "commit done"])
def test_a_failed_create_leaves_nothing_and_the_same_name_works(step: str) -> None:
    engine = Engine()
    result_of(engine.volumes.create("old"))
    mounts = Mounts((*WITH_VOLUMES.mounts.mounts, Mount(MountKind.VOLUME, "/old", source="old")))
    options = replace(WITH_VOLUMES, mounts=mounts)
    engine.gates.failing[step] = HostError("no")
    assert isinstance(failure_of(engine.containers.create.create("box", "busybox", options)), HostError)
    engine.gates.failing.clear()
    assert engine.machine.volumes - {"old"} == set() or step == "commit done"
    assert engine.locks.held() == ()
    assert engine.registry.users_of_volume("db") == ()
    assert engine.registry.name_is_free("box")
    engine.create(options)


def test_a_create_that_fails_last_takes_its_volumes_back_but_not_those_of_others() -> None:
    engine = Engine()
    result_of(engine.volumes.create("db"))
    engine.gates.failing["volumes.create done"] = HostError("no room")
    assert isinstance(failure_of(engine.containers.create.create("box", "busybox", WITH_VOLUMES)), HostError)
    assert engine.machine.volumes == {"db"}
    assert set(engine.records.volumes) == {"db"}
    assert engine.records.containers == {}
    assert [volume.name for volume in engine.volumes.all()] == ["db"]


def test_a_crash_in_a_create_leaves_no_volume_that_no_container_has() -> None:
    counting = Engine()
    counting.gates.passed.clear()
    counting.create(WITH_VOLUMES)
    for gate in range(1, len(counting.gates.passed) + 1):
        engine = Engine()
        engine.gates.passed.clear()
        engine.gates.crash_at = gate
        spawn(engine.containers.create.create("box", "busybox", WITH_VOLUMES))
        following = engine.next_service()
        result_of(following.volumes.reconcile())
        result_of(following.containers.reconcile.run())
        volumes = following.volumes.all()
        assert all(following.registry.users_of_volume(volume.name) for volume in volumes), f"gate {gate}"
        assert engine.machine.volumes == {volume.name for volume in volumes}, f"gate {gate}"


def test_a_name_is_taken_while_its_container_is_being_made() -> None:
    engine = Engine()
    held = engine.gates.hold("commit")
    first = spawn(engine.containers.create.create("box", "busybox", NO_NETWORK))
    second = failure_of(engine.containers.create.create("/box", "busybox", NO_NETWORK))
    assert isinstance(second, NameTaken)
    held.callback(None)
    container = result_of(first)
    third = failure_of(engine.containers.create.create("box", "busybox", NO_NETWORK))
    assert isinstance(third, NameTaken)
    assert third.docker == (
        f'Conflict. The container name "/box" is already in use by container "{container.id}".'
        " You have to remove (or rename) that container to be able to reuse that name."
    )
    assert Flavour.LIBPOD.words(third) == (
        f'the container name "box" is already in use by {container.id}.'
        " You have to remove that container to be able to reuse that name: that name is already in use"
    )


def test_an_image_and_volumes_are_in_use_while_a_container_is_made_of_them() -> None:
    engine = Engine()
    result_of(engine.volumes.create("db"))
    engine.gates.hold("volumes.create")
    spawn(engine.containers.create.create("box", "busybox", WITH_VOLUMES))
    assert len(engine.registry.users_of_volume("db")) == 1
    other = Engine()
    other.gates.hold("commit")
    spawn(other.containers.create.create("box", "busybox", NO_NETWORK))
    assert len(other.registry.users_of_image(IMAGE)) == 1


def test_a_container_without_a_name_gets_one_that_is_free() -> None:
    engine = Engine()
    names = {engine.create(NO_NETWORK, None).name for _ in range(20)}
    assert len(names) == 20


@pytest.mark.parametrize("name", ["-a", "a b", "a/b", "ä1", "x" * 3 + "\n"])
def test_impossible_names_are_refused(name: str) -> None:
    engine = Engine()
    failure = failure_of(engine.containers.create.create(name, "busybox", NO_NETWORK))
    assert isinstance(failure, InvalidContainerName)


def test_a_missing_image_is_said_in_the_words_that_clients_match() -> None:
    engine = Engine()
    failure = failure_of(engine.containers.create.create("box", "nope", NO_NETWORK))
    assert isinstance(failure, NoSuchImage)
    assert engine.registry.name_is_free("box")


@pytest.mark.parametrize("platform", ["linux/amd64", "linux", "linux/amd64/v2", "LINUX/AMD64"])
def test_an_image_of_the_wanted_platform_is_taken(platform: str) -> None:
    engine = Engine()
    result_of(engine.containers.create.create("box", "busybox", NO_NETWORK, platform))


def test_an_image_of_another_processor_is_warned_of_where_none_was_asked_for() -> None:
    engine = Engine(architecture="aarch64")
    (words,) = engine.create(NO_NETWORK).warnings
    assert "(linux/amd64) does not match the detected host platform (linux/arm64)" in words
    asked = result_of(engine.containers.create.create("other", "busybox", NO_NETWORK, "linux/amd64"))
    assert asked.warnings == ()


def test_an_image_of_another_platform_is_not_found() -> None:
    engine = Engine()
    failure = failure_of(engine.containers.create.create("box", "busybox", NO_NETWORK, "linux/arm64"))
    assert isinstance(failure, OtherPlatform)
    assert "was found but does not match the specified platform" in failure.subject


def test_a_network_that_does_not_exist_is_told_of_by_start() -> None:
    engine = Engine()
    options = replace(NO_NETWORK, network=Network(mode="nope"))
    result_of(engine.containers.create.create("box", "busybox", options))
    assert isinstance(failure_of(engine.containers.start.start("box")), NoSuchNetwork)
    assert engine.container().state is State.CONFIGURED


def test_a_volume_driver_that_is_not_built_is_said_and_nothing_is_made() -> None:
    engine = Engine()
    mount = Mount(MountKind.VOLUME, "/data", volume_driver="nfs")
    options = replace(WITH_VOLUMES, mounts=Mounts((*WITH_VOLUMES.mounts.mounts, replace(mount, target="/x"))))
    assert isinstance(failure_of(engine.containers.create.create("box", "busybox", options)), NotImplementedYet)
    assert engine.machine.volumes == set()


def test_what_does_not_act_yet_or_not_here_is_a_warning() -> None:
    engine = Engine()
    container = engine.create(
        replace(
            NO_NETWORK,
            lifecycle=Lifecycle(restart=RestartPolicy("always"), health=Healthcheck(("CMD", "true"))),
            limits=Limits(memory_bytes=64 << 20, memory_swap_bytes=-1),
        )
    )
    assert [word for word in ("always", "health check", "swap") if any(word in w for w in container.warnings)] == [
        "always",
        "health check",
        "swap",
    ]
    assert len(container.warnings) == 3


def test_an_option_that_cannot_be_leaves_nothing() -> None:
    engine = Engine()
    options = replace(WITH_VOLUMES, logging=Logging(options={"max-size": "lots"}))
    assert isinstance(failure_of(engine.containers.create.create("box", "busybox", options)), InvalidParameter)
    assert (engine.machine.volumes, engine.registry.name_is_free("box")) == (set(), True)


# looking up


def test_an_exact_name_wins_over_the_beginning_of_an_id() -> None:
    engine = Engine()
    by_id = engine.create(NO_NETWORK, "first")
    named = engine.create(NO_NETWORK, by_id.id[:12])
    assert engine.registry.get(by_id.id[:12]) == named
    assert engine.registry.get(by_id.id) == by_id
    assert engine.registry.get(by_id.id[:13]) == by_id
    assert engine.registry.get("/first") == by_id


@pytest.mark.parametrize("text", ["", "%", "_", "fir", "g", "..", "first/"])
def test_nothing_else_finds_a_container(text: str) -> None:
    engine = Engine()
    engine.create(NO_NETWORK, "first")
    with pytest.raises(NoSuchContainer):
        engine.registry.get(text)


def test_a_beginning_that_several_ids_share_is_ambiguous() -> None:
    engine = Engine()
    for number in range(17):
        engine.create(NO_NETWORK, f"c{number}")
    firsts = [c.id[0] for c in engine.registry.all()]
    shared = next(digit for digit in firsts if firsts.count(digit) > 1)
    with pytest.raises(AmbiguousPrefix, match=f'more than one result for container "{shared}"'):
        engine.registry.get(shared)


def test_listings_are_newest_first() -> None:
    engine = Engine()
    for name in ("one", "two", "three"):
        engine.create(NO_NETWORK, name)
        engine.clock.advance(1)
    assert [c.name for c in engine.registry.all()] == ["three", "two", "one"]

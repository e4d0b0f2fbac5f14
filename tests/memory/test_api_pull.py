"""Pulling over the API: shared work, statuses before the first progress, records after it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import LayerPhase, LayerProgress, RemoteBlob, RemoteImage
from apiserver.errors import (
    ImageVanished,
    NoSuchRemoteImage,
    RegistryDenies,
    RegistryFailed,
    RegistryForbids,
    RegistryRefused,
)
from tests.fakes.images import image
from tests.support.api import Api
from tests.support.http_memory import MemoryConnection

NAME = "docker.io/library/box:latest"
LAYER = "sha256:" + "a" * 64
REMOTE = RemoteImage("sha256:" + "d" * 64, "sha256:" + "d" * 64, (RemoteBlob(LAYER, 100),))
BOX = image("box", NAME)


@pytest.fixture
def api() -> Api:
    api = Api()
    api.registry.remote[NAME] = REMOTE
    return api


def step(phase: LayerPhase, current: int = 0) -> LayerProgress:
    return LayerProgress(LAYER, phase, current, 100)


def test_two_clients_share_one_work_and_each_gets_all(api: Api) -> None:
    first = api.open("POST", "/images/create", fromImage="box", tag="latest")
    second = api.open("POST", "/images/create", fromImage="box", tag="latest")
    ((_, watch, done),) = api.registry.fetches
    watch(step(LayerPhase.DOWNLOADING, 50))
    done.callback(BOX)
    for connection in (first, second):
        lines = connection.answer.lines()
        assert {"status": "Pulling from library/box", "id": "latest"} in lines
        assert {"status": "Downloading", "progressDetail": {"current": 50, "total": 100}, "id": "a" * 12} in lines
        assert lines[-1] == {"status": "Status: Downloaded newer image for box:latest"}


def test_one_that_leaves_leaves_the_others_pull_and_the_last_ends_it(api: Api) -> None:
    first = api.open("POST", "/images/create", fromImage="box", tag="latest")
    second = api.open("POST", "/images/create", fromImage="box", tag="latest")
    first.hang_up()
    assert api.registry.cancelled == 0
    second.hang_up()
    assert api.registry.cancelled == 1
    api.open("POST", "/images/create", fromImage="box", tag="latest")
    assert len(api.registry.fetches) == 2


def test_one_that_was_left_and_ends_late_does_not_keep_later_ones_from_sharing(api: Api) -> None:
    clearing = api.registry.clearing = Deferred()
    api.open("POST", "/images/create", fromImage="box", tag="latest").hang_up()
    api.open("POST", "/images/create", fromImage="box", tag="latest")
    clearing.callback(None)
    assert len(api.registry.fetches) == 2
    api.open("POST", "/images/create", fromImage="box", tag="latest")
    assert len(api.registry.fetches) == 2


def test_a_pull_visits_its_registry_once_and_nothing_stays_of_it(api: Api) -> None:
    def pull(policy: str = "always") -> MemoryConnection:
        return api.open("POST", "/v5.0.0/libpod/images/pull", reference=NAME, policy=policy)

    def fetching() -> Deferred[Image]:
        assert api.registry.visits == [NAME]
        return api.registry.fetches.pop()[2]

    pull()
    fetching().errback(RegistryFailed("it broke off"))
    assert api.registry.visits == []
    pull()
    fetching().callback(BOX)
    assert api.registry.visits == []
    connection = pull()
    fetching()
    connection.hang_up()
    assert api.registry.visits == []
    pull("newer")
    fetching().callback(BOX)
    api.registry.failure = RegistryFailed("away")
    pull()
    pull("newer")
    assert api.registry.visits == []


def test_an_error_before_the_first_progress_has_the_registrys_status(api: Api) -> None:
    for failure, docker, podman in (
        (RegistryForbids("blocked {here}"), 403, 403),
        (RegistryRefused("unauthorized"), 403, 401),
        (RegistryDenies("denied"), 404, 403),
        (RegistryFailed("500"), 500, 500),
        (NoSuchRemoteImage("manifest unknown"), 404, 404),
    ):
        api.registry.failure = failure
        assert api.post("/images/create", fromImage="box", tag="latest").status == docker
        assert api.post("/v5.0.0/libpod/images/pull", reference="docker.io/library/box").status == podman
    api.registry.failure = RegistryForbids("blocked {here}")
    assert api.post("/images/create", fromImage="box", tag="latest").json()["message"] == "blocked {here}"


def test_docker_is_told_of_denied_access_in_words_that_its_clients_know(api: Api) -> None:
    api.registry.failure = RegistryDenies("reading manifest: denied")
    said = api.post("/images/create", fromImage="box", tag="latest").json()["message"]
    assert said.startswith(
        "pull access denied for box, repository does not exist or may require 'docker login': denied"
    )


def test_a_later_error_is_in_the_stream(api: Api) -> None:
    for path, query in (
        ("/images/create", {"fromImage": "box", "tag": "latest"}),
        ("/v5.0.0/libpod/images/pull", {"reference": NAME}),
    ):
        connection = api.open("POST", path, **query)
        api.registry.fetches.pop()[2].errback(RegistryFailed("it broke off"))
        assert connection.answer.status == 200
        assert connection.answer.lines()[-1]["error"].startswith("it broke off")


@pytest.fixture
def tags(api: Api) -> tuple[str, ...]:
    """Names of a whole repository, in the registry's order."""
    names = tuple(f"r.example/many:{tag}" for tag in ("latest", "2", "1"))
    api.registry.remote |= dict.fromkeys(names, REMOTE)
    return names


@pytest.mark.parametrize("written", ["r.example/many", "r.example/many:"])
def test_docker_gets_all_tags_of_a_repository_that_it_names_alone(
    api: Api, tags: tuple[str, ...], written: str
) -> None:
    api.image_source.add(replace(BOX, names=tags[:1]))
    connection = api.open("POST", "/images/create", fromImage=written)
    for name in tags:
        ((fetched, _, done),) = api.registry.fetches
        assert fetched == name
        api.registry.fetches.clear()
        done.callback(replace(BOX, names=tags[: tags.index(name) + 1]))
    digest = {"status": f"Digest: {REMOTE.digest}"}
    assert connection.answer.lines() == [
        {"status": "Pulling from many", "id": "latest"},
        digest,
        {"status": "Pulling from many", "id": "2"},
        digest,
        {"status": "Pulling from many", "id": "1"},
        digest,
        {"status": "Status: Downloaded newer image for r.example/many"},
    ]


def test_all_tags_that_are_here_are_up_to_date(api: Api, tags: tuple[str, ...]) -> None:
    image_here = replace(BOX, names=tags)
    api.image_source.add(image_here)
    connection = api.open("POST", "/images/create", fromImage="r.example/many", platform="linux/s390x")
    while api.registry.fetches:
        api.registry.fetches.pop()[2].callback(image_here)
    *_, last, warning = connection.answer.lines()
    assert last == {"status": "Status: Image is up to date for r.example/many"}
    assert warning["error"].startswith("image with reference r.example/many was found but does not match")


def test_the_first_tag_that_fails_ends_a_pull_of_all(api: Api, tags: tuple[str, ...]) -> None:
    connection = api.open("POST", "/images/create", fromImage="r.example/many")
    del api.registry.remote[tags[1]]
    api.registry.fetches.pop()[2].callback(replace(BOX, names=tags[:1]))
    first, digest, last = connection.answer.lines()
    assert (first["id"], digest["status"], api.registry.fetches) == ("latest", f"Digest: {REMOTE.digest}", [])
    assert last["error"].startswith("manifest unknown: r.example/many:2")
    connection = api.open("POST", "/images/create", fromImage="r.example/many")
    api.registry.fetches.pop()[2].errback(RegistryFailed("it broke off"))
    assert [line.get("error") for line in connection.answer.lines()] == [None, "it broke off"]
    assert api.registry.fetches == []


def test_a_repository_of_which_no_tag_can_be_had_is_an_error_with_its_status(api: Api, tags: tuple[str, ...]) -> None:
    assert api.post("/images/create", fromImage="r.example/nope").status == 404
    api.registry.failure = RegistryDenies("denied")
    answer = api.post("/images/create", fromImage="r.example/many")
    assert (answer.status, answer.json()["message"][:39]) == (404, "pull access denied for r.example/many, ")
    api.registry.failure = None
    del api.registry.remote[tags[0]]
    api.registry.remote["r.example/many:../up"] = REMOTE
    connection = api.open("POST", "/images/create", fromImage="r.example/many")
    assert (connection.answer.status, api.registry.fetches) == (400, [])


def test_a_client_that_leaves_a_pull_of_all_tags_ends_it(api: Api, tags: tuple[str, ...]) -> None:
    connection = api.open("POST", "/images/create", fromImage="r.example/many")
    connection.hang_up()
    assert (api.registry.cancelled, len(api.registry.fetches)) == (1, 1)


def test_what_vanishes_meanwhile_is_fetched_once_more_and_no_other_failure_is(api: Api) -> None:
    for failures in ([ImageVanished("gone")], [ImageVanished("gone"), ImageVanished("again")], [RegistryFailed("x")]):
        connection = api.open("POST", "/images/create", fromImage="box", tag="latest")
        for failure in failures:
            api.registry.fetches.pop()[2].errback(failure)
        if len(failures) == 1 and isinstance(failures[0], ImageVanished):
            api.registry.fetches.pop()[2].callback(BOX)
            assert connection.answer.lines()[-1] == {"status": "Status: Downloaded newer image for box:latest"}
        else:
            assert connection.answer.lines()[-1]["error"] == failures[-1].subject
        assert api.registry.fetches == []


def test_what_is_there_already_under_that_name_is_up_to_date(api: Api) -> None:
    api.image_source.add(BOX)
    connection = api.open("POST", "/images/create", fromImage="box", tag="latest")
    api.registry.fetches[0][2].callback(BOX)
    assert connection.answer.lines()[-1] == {"status": "Status: Image is up to date for box:latest"}


def test_docker_hears_nothing_of_the_layers_of_an_image_that_is_here_but_of_those_that_come(api: Api) -> None:
    other, config = "sha256:" + "b" * 64, RemoteBlob(f"sha256:{BOX.id}", 10)
    api.image_source.add(replace(BOX, names=("docker.io/library/other:latest",)))
    api.registry.remote[NAME] = replace(REMOTE, config=config)
    connection = api.open("POST", "/images/create", fromImage="box", tag="latest")
    ((_, watch, done),) = api.registry.fetches
    watch(step(LayerPhase.PRESENT))
    watch(LayerProgress(other, LayerPhase.WAITING))
    watch(LayerProgress(other, LayerPhase.DOWNLOADING, 1, 2))
    watch(LayerProgress(other, LayerPhase.COMPLETE, 2, 2))
    done.callback(BOX)
    lines = [(line["status"], line.get("id")) for line in connection.answer.lines()]
    assert lines == [
        ("Pulling from library/box", "latest"),
        ("Pulling fs layer", "b" * 12),
        ("Downloading", "b" * 12),
        ("Download complete", "b" * 12),
        ("Extracting", "b" * 12),
        ("Pull complete", "b" * 12),
        (f"Digest: {REMOTE.digest}", None),
        ("Status: Downloaded newer image for box:latest", None),
    ]


def test_docker_hears_that_a_layer_exists_and_no_more_of_it(api: Api) -> None:
    connection = api.open("POST", "/images/create", fromImage="box", tag="latest")
    ((_, watch, done),) = api.registry.fetches
    watch(step(LayerPhase.PRESENT))
    done.callback(BOX)
    lines = connection.answer.lines()
    assert [line["status"] for line in lines if line.get("id") == "a" * 12] == ["Already exists"]


@pytest.mark.parametrize("policy", ["missing", "never"])
def test_podman_asks_no_registry_for_what_is_there(api: Api, policy: str) -> None:
    api.image_source.add(BOX)
    answer = api.post("/v5.0.0/libpod/images/pull", reference=NAME, policy=policy)
    assert (answer.json(), api.registry.looks) == ({"images": [BOX.id], "id": BOX.id}, 0)


def test_an_image_that_is_here_for_another_platform_is_not_the_one_that_podman_asks_for(api: Api) -> None:
    api.image_source.add(BOX)
    query = {"reference": NAME, "Arch": "arm64", "OS": "linux"}
    assert api.post("/v5.0.0/libpod/images/pull", **query, policy="never").status == 404
    assert api.registry.looks == 0
    for policy in ("missing", "newer"):
        connection = api.open("POST", "/v5.0.0/libpod/images/pull", **query, policy=policy)
        api.registry.fetches.pop()[2].callback(replace(BOX, architecture="arm64"))
        assert connection.answer.lines()[-1]["id"] == BOX.id
        api.image_source.add(BOX)
    by_id = {"reference": BOX.id, "Arch": "arm64", "policy": "missing"}
    assert api.post("/v5.0.0/libpod/images/pull", **by_id).json()["id"] == BOX.id


def test_podman_asks_the_registry_for_a_platform_where_what_is_here_says_the_same(api: Api) -> None:
    foreign = replace(BOX, architecture="arm64", manifest_digest="sha256:" + "e" * 64)
    api.image_source.add(foreign)
    query = {"reference": NAME, "policy": "missing"}
    api.registry.failure = RegistryFailed("away")
    for architecture in ("arm64", "amd64"):  # whose own, by what the machine says: images say that wrongly
        assert api.post("/v5.0.0/libpod/images/pull", **query, Arch=architecture).json()["id"] == BOX.id
    assert api.registry.looks == 2
    assert api.post("/v5.0.0/libpod/images/pull", **query, Arch="s390x").status == 500


def test_a_variant_alone_is_one_of_this_machines_architecture(api: Api) -> None:
    query = {"reference": NAME, "policy": "never"}
    api.image_source.add(replace(BOX, architecture="amd64", variant="v2"))
    assert api.post("/v5.0.0/libpod/images/pull", **query, Variant="v3").status == 404
    assert api.post("/v5.0.0/libpod/images/pull", **query, Variant="v2").json()["id"] == BOX.id


def test_an_image_that_is_here_is_found_by_its_whole_id_which_is_no_name(api: Api) -> None:
    api.image_source.add(BOX)
    answer = api.post("/v5.0.0/libpod/images/pull", reference=BOX.id, policy="missing")
    assert (answer.status, answer.json()["id"]) == (200, BOX.id)


def test_policy_never_does_not_ask_for_what_is_missing(api: Api) -> None:
    assert api.post("/v5.0.0/libpod/images/pull", reference=NAME, policy="never").status == 404
    assert api.registry.looks == 0


def test_policy_newer_is_content_with_what_is_here_where_the_registry_fails(api: Api) -> None:
    api.image_source.add(BOX)
    api.registry.failure = RegistryFailed("away")
    assert api.post("/v5.0.0/libpod/images/pull", reference=NAME, policy="newer").json()["id"] == BOX.id


def test_policy_newer_compares_what_is_here_under_another_name_and_pulls_no_equal(api: Api) -> None:
    api.registry.short["box"] = ("r.example/box",)
    api.registry.remote["r.example/box:latest"] = REMOTE
    api.image_source.add(replace(image("box", "localhost/box:latest"), manifest_digest=REMOTE.image_digest))
    answer = api.post("/v5.0.0/libpod/images/pull", reference="box", policy="newer")
    assert (answer.json()["id"], api.registry.looks, api.registry.fetches) == (BOX.id, 1, [])


@pytest.mark.parametrize("policy", ["always", "newer"])
def test_a_short_name_is_pulled_from_where_its_image_came_from(api: Api, policy: str) -> None:
    api.registry.short["box"] = ("r.example/box",)
    for there in ("r.example/box:latest", "away.example/my/box:latest"):
        api.registry.remote[there] = REMOTE
    api.image_source.add(replace(image("old", "away.example/my/box:latest"), manifest_digest="sha256:" + "e" * 64))
    query = {"reference": "box", "policy": policy}
    connection = api.open("POST", "/v5.0.0/libpod/images/pull", **query)
    ((name, _, done),) = api.registry.fetches
    assert name == "away.example/my/box:latest"
    done.callback(replace(BOX, names=(name,)))
    assert connection.answer.lines()[-1]["id"] == BOX.id
    api.open("POST", "/v5.0.0/libpod/images/pull", **query, Arch="amd64")
    assert api.registry.fetches[-1][0] == "r.example/box:latest", "an image may say its platform wrongly"


def test_policy_newer_pulls_what_differs(api: Api) -> None:
    api.registry.short["box"] = ("r.example/box",)
    api.registry.remote["r.example/box:latest"] = REMOTE
    api.image_source.add(replace(image("old", "localhost/box:latest"), manifest_digest="sha256:" + "e" * 64))
    connection = api.open("POST", "/v5.0.0/libpod/images/pull", reference="box", policy="newer")
    ((name, _, done),) = api.registry.fetches
    done.callback(replace(BOX, names=(name,)))
    assert (name, connection.answer.lines()[-1]["id"]) == ("r.example/box:latest", BOX.id)


def test_policy_newer_is_content_with_what_is_here_where_a_short_name_means_nothing(api: Api) -> None:
    api.image_source.add(replace(BOX, names=("localhost/box:latest",)))
    assert api.post("/v5.0.0/libpod/images/pull", reference="box", policy="newer").json()["id"] == BOX.id


def test_a_pull_that_fails_is_told_of_to_podmans_clients_alone(api: Api) -> None:
    podman, docker = (
        api.open("GET", path, filters='{"type":["image"]}') for path in ("/v5.0.0/libpod/events", "/events")
    )
    api.registry.failure = RegistryFailed("it broke")
    api.post("/images/create", fromImage="box", tag="latest")
    api.post("/v5.0.0/libpod/images/pull", reference="r.example/box")
    dockers, podmans = podman.answer.lines()
    assert (dockers["Action"], dockers["Actor"]["ID"]) == ("pull-error", "")
    assert dockers["Actor"]["Attributes"] | {"name": NAME, "error": "it broke"} == dockers["Actor"]["Attributes"]
    assert podmans["Actor"]["Attributes"]["name"] == "r.example/box"  # with no tag that nobody asked for
    assert docker.answer.lines() == []
    podman.hang_up()
    docker.hang_up()


@pytest.mark.parametrize("found", [(), ("one.example/box", "evil.example/box")])
def test_a_short_name_that_may_be_several_is_refused_and_no_registry_is_tried(api: Api, found: tuple[str, ...]) -> None:
    api.registry.short["box"] = found
    answer = api.post("/v5.0.0/libpod/images/pull", reference="box")
    assert (answer.status, api.registry.looks) == (400, 0)
    words = 'short-name "box" did not resolve to an alias and '
    several = "may be any of one.example/box, evil.example/box: short-name resolution enforced but cannot prompt"
    none = 'no unqualified-search registries are defined in "/etc/registries.conf"'
    assert answer.json()["message"].startswith(words + (several if found else none))


def test_a_short_name_of_a_docker_client_is_docker_hubs_alone(api: Api) -> None:
    api.registry.short["box"] = ("evil.example/box",)
    api.open("POST", "/images/create", fromImage="box", tag="latest")
    assert api.registry.fetches[0][0] == NAME


def test_a_digest_wins_over_the_tag_beside_it(api: Api) -> None:
    digest = "sha256:" + "d" * 64
    by_digest = f"r.example/box@{digest}"
    api.registry.remote[by_digest] = REMOTE
    docker = api.open("POST", "/images/create", fromImage=f"r.example/box:1@{digest}")
    podman = api.open("POST", "/v5.0.0/libpod/images/pull", reference=f"r.example/box:1@{digest}")
    ((name, _, done),) = api.registry.fetches
    done.callback(replace(BOX, names=(), digests=(by_digest,)))
    assert (name, podman.answer.lines()[0]["stream"]) == (by_digest, f"Trying to pull {by_digest}...\n")
    first, *_, last = docker.answer.lines()
    assert first == {"status": "Pulling from box", "id": f"r.example/box:1@{digest}"}
    assert last == {"status": f"Status: Downloaded newer image for r.example/box:1@{digest}"}


def test_a_quiet_pull_says_nothing_before_its_end_so_that_an_error_has_its_status(api: Api) -> None:
    query = {"reference": NAME, "quiet": "true"}
    failing = api.open("POST", "/v5.0.0/libpod/images/pull", **query)
    api.registry.fetches.pop()[2].errback(RegistryForbids("its signature is none"))
    assert (failing.answer.status, failing.answer.json()["message"]) == (403, "its signature is none")
    pulled = api.open("POST", "/v5.0.0/libpod/images/pull", **query)
    api.registry.fetches.pop()[2].callback(BOX)
    assert (pulled.answer.status, pulled.answer.lines()) == (200, [{"images": [BOX.id], "id": BOX.id}])
    assert api.post("/v5.0.0/libpod/images/pull", **query, compatMode="true").status == 400


def test_compat_mode_is_dockers_lines_whose_last_id_is_the_images(api: Api) -> None:
    connection = api.open("POST", "/v5.0.0/libpod/images/pull", reference=NAME, compatMode="true")
    _, watch, done = api.registry.fetches[0]
    watch(step(LayerPhase.DOWNLOADED, 100))
    done.callback(BOX)
    lines = connection.answer.lines()
    assert {"status": "Download complete", "progressDetail": {}, "id": "a" * 12} in lines
    assert [line["id"] for line in lines if "id" in line][-1] == BOX.id[:12]


def test_podman_gets_streams_and_then_the_image(api: Api) -> None:
    api.registry.short["box"] = (NAME,)
    connection = api.open("POST", "/v5.0.0/libpod/images/pull", reference="box")
    _, watch, done = api.registry.fetches[0]
    watch(step(LayerPhase.PRESENT))
    done.callback(replace(BOX))
    assert connection.answer.lines() == [
        {"stream": 'Resolved "box" as an alias (/etc/registries.conf)\n'},
        {"stream": f"Trying to pull {NAME}...\n"},
        {"stream": "Getting image source signatures\n"},
        {"stream": f"Copying blob {LAYER}\n"},
        {"stream": f"Copying config sha256:{BOX.id}\n"},
        {"stream": "Writing manifest to image destination\n"},
        {"images": [BOX.id], "id": BOX.id},
    ]


def test_podman_6_is_told_how_the_pull_stands_and_what_has_come_of_each_layer(api: Api) -> None:
    query = {"reference": NAME, "pullProgress": "true"}
    connection = api.open("POST", "/v6.0.0/libpod/images/pull", **query)
    _, watch, done = api.registry.fetches[0]
    for progress in (step(LayerPhase.WAITING), step(LayerPhase.DOWNLOADING, 40), step(LayerPhase.COMPLETE, 100)):
        watch(progress)
    done.callback(BOX)
    begun = {"status": "pulling", "progressComponentID": LAYER, "total": 100}
    assert connection.answer.lines() == [
        {"status": "pulling", "stream": f"Trying to pull {NAME}...\n"},
        {"status": "pulling", "stream": "Getting image source signatures\n"},
        {"status": "pulling", "stream": f"Copying blob {LAYER}\n"},
        {"status": "pulling", "stream": "Starting to pull artifact", "pullProgress": begun},
        {"status": "pulling", "stream": "Pulling artifact", "pullProgress": begun | {"current": 40}},
        {
            "status": "pulling",
            "stream": "Artifact pulled successfully",
            "pullProgress": begun | {"status": "success", "current": 100},
        },
        {"status": "pulling", "stream": f"Copying config sha256:{BOX.id}\n"},
        {"status": "pulling", "stream": "Writing manifest to image destination\n"},
        {"status": "success", "images": [BOX.id], "id": BOX.id},
    ]


def test_a_layer_that_is_here_is_skipped_and_the_end_of_a_failed_pull_is_an_error(api: Api) -> None:
    connection = api.open("POST", "/v6.0.0/libpod/images/pull", reference=NAME, pullProgress="true")
    _, watch, done = api.registry.fetches[0]
    watch(step(LayerPhase.PRESENT, 0))
    done.errback(RegistryFailed("it went away"))
    *_, skipped, last = connection.answer.lines()
    assert skipped["pullProgress"] == {"status": "skipped", "progressComponentID": LAYER}
    assert last == {"status": "error", "error": "it went away"}


@pytest.mark.parametrize("pair", [("quiet", "compatMode"), ("quiet", "pullProgress"), ("compatMode", "pullProgress")])
def test_two_forms_of_the_answer_cannot_be_asked_for_at_once(api: Api, pair: tuple[str, str]) -> None:
    answer = api.post("/v6.0.0/libpod/images/pull", reference=NAME, **dict.fromkeys(pair, "true"))
    assert (answer.status, "cannot be used simultaneously" in answer.json()["message"]) == (400, True)
    assert api.registry.fetches == []

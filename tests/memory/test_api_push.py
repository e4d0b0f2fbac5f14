"""Pushing and logging in over the API: statuses before the first byte of an image, records after it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from apiserver.engine.images.push import SMALL_TALK
from apiserver.engine.ports.images import Layer
from apiserver.engine.ports.registry import Credentials, PushFormat, RemoteManifest
from apiserver.errors import RegistryDenies, RegistryFailed, RegistryForbids
from tests.fakes.images import image
from tests.support.api import Api

NAME = "127.0.0.1:5000/box:1"
BOX = image("box", NAME)
LAYER = Layer("a", "sha256:" + "a" * 64, 4096)
MANIFEST = RemoteManifest("sha256:" + "d" * 64, 528)
DOCKER, LIBPOD = "/images/127.0.0.1:5000/box/push", "/v5.0.0/libpod/images/127.0.0.1:5000/box:1/push"


@pytest.fixture
def api() -> Api:
    api = Api()
    api.image_source.add(BOX)
    return api


def test_docker_hears_of_each_layer_and_of_the_manifest(api: Api) -> None:
    connection = api.open("POST", DOCKER, tag="1")
    ((name, form, watch, done),) = api.registry.pushes
    assert (name, form) == (NAME, PushFormat())
    watch(SMALL_TALK + 1)
    done.callback(MANIFEST)
    lines = connection.answer.lines()
    assert lines[0] == {"status": "The push refers to repository [127.0.0.1:5000/box]"}
    assert lines[-2:] == [
        {"status": f"1: digest: {MANIFEST.digest} size: 528"},
        {"progressDetail": {}, "aux": {"Tag": "1", "Digest": MANIFEST.digest, "Size": 528}},
    ]


def test_docker_hears_which_layers_the_registry_had(api: Api) -> None:
    layers = tuple(replace(LAYER, id=each, diff_digest="sha256:" + each * 64) for each in "abc")
    api.image_source.add(replace(BOX, layers=layers))
    connection = api.open("POST", DOCKER, tag="1")
    for layer in layers[:2]:
        api.registry.reuses[-1](layer.diff_digest)
    api.registry.pushes[-1][2](SMALL_TALK + 1)
    api.registry.pushes[-1][3].callback(replace(MANIFEST, mounted={layers[1].diff_digest: "other"}))
    said = [(line["status"], line["id"]) for line in connection.answer.lines() if "id" in line]
    assert said[3:] == [
        ("Pushing", "c" * 12),
        ("Layer already exists", "a" * 12),
        ("Mounted from other", "b" * 12),
        ("Pushed", "c" * 12),
    ]


def test_podman_gets_the_digest_or_with_quiet_nothing(api: Api) -> None:
    connection = api.open("POST", LIBPOD, quiet="false", destination="127.0.0.1:5000/other", format="v2s2")
    ((name, form, _, done),) = api.registry.pushes
    assert (name, form.manifest) == ("127.0.0.1:5000/other:latest", "v2s2")
    done.callback(MANIFEST)
    assert connection.answer.lines()[-1] == {"manifestdigest": MANIFEST.digest}
    quiet = api.open("POST", LIBPOD)
    api.registry.pushes[-1][3].callback(MANIFEST)
    assert (quiet.answer.status, quiet.answer.body) == (200, b"\n")  # `podman push -q` fails over any JSON but a record


def test_podman_gets_the_lines_that_podman_writes(api: Api) -> None:
    api.image_source.add(replace(BOX, layers=(LAYER,)))
    connection = api.open("POST", LIBPOD, quiet="false")
    api.registry.pushes[-1][3].callback(MANIFEST)
    assert connection.answer.lines() == [
        {"stream": "Getting image source signatures\n"},
        {"stream": f"Copying blob {LAYER.diff_digest}\n"},
        {"stream": f"Copying config sha256:{BOX.id}\n"},
        {"stream": "Writing manifest to image destination\n"},
        {"manifestdigest": MANIFEST.digest},
    ]


def test_a_quiet_push_that_fails_says_what_it_was(api: Api) -> None:
    connection = api.open("POST", LIBPOD, destination="127.0.0.1:5000/other")
    _, _, watch, done = api.registry.pushes[-1]
    watch(SMALL_TALK + 1)
    done.errback(RegistryFailed("it broke off"))
    said = connection.answer
    assert (said.status, said.json()["message"]) == (500, 'pushing image "127.0.0.1:5000/other": it broke off')


@pytest.mark.parametrize(("path", "query"), [(DOCKER, {"tag": "1"}), (LIBPOD, {"quiet": "false"})])
def test_an_error_before_any_byte_of_the_image_has_the_registrys_status(
    api: Api, path: str, query: dict[str, str]
) -> None:
    connection = api.open("POST", path, **query)
    _, _, watch, done = api.registry.pushes[-1]
    watch(SMALL_TALK)
    done.errback(RegistryForbids("denied"))
    assert connection.answer.status == 403


def test_a_push_that_is_denied_does_not_speak_of_pulling(api: Api) -> None:
    connection = api.open("POST", DOCKER, tag="1")
    api.registry.pushes[-1][3].errback(RegistryDenies("requested access to the resource is denied"))
    said = connection.answer
    assert (said.status, said.json()["message"]) == (403, "requested access to the resource is denied")


def test_a_later_one_is_a_record(api: Api) -> None:
    connection = api.open("POST", DOCKER, tag="1")
    _, _, watch, done = api.registry.pushes[-1]
    watch(SMALL_TALK + 1)
    done.errback(RegistryFailed("it broke off"))
    assert connection.answer.status == 200
    assert connection.answer.lines()[-1]["errorDetail"] == {"message": "it broke off"}


@pytest.mark.parametrize(("path", "query"), [(DOCKER, {"tag": "1"}), (LIBPOD, {})])
def test_a_client_that_leaves_ends_its_push(api: Api, path: str, query: dict[str, str]) -> None:
    api.open("POST", path, **query).hang_up()
    assert api.registry.cancelled == 1


def test_what_is_not_here_is_404_in_each_flavours_words(api: Api) -> None:
    said = api.post("/images/127.0.0.1:5000/box/push", tag="2")
    words = "An image does not exist locally with the tag: 127.0.0.1:5000/box:2"
    assert (said.status, said.json()["message"]) == (404, words)
    for quiet, words in (("false", "nope: image not known"), ("true", 'pushing image "nope": nope: image not known')):
        said = api.post("/v5.0.0/libpod/images/nope/push", quiet=quiet)
        assert (said.status, said.json()["message"]) == (404, words)
    assert api.registry.pushes == []


def test_without_a_tag_all_of_the_repository_are_pushed_one_after_another(api: Api) -> None:
    api.image_source.add(image("new", "127.0.0.1:5000/box:2", "127.0.0.1:5000/boxes:1", "docker.io/library/box:1"))
    connection = api.open("POST", DOCKER)  # as `docker push --all-tags` and docker-py's `push(repository)` ask
    for tag in "12":
        ((pushed, _, watch, done),) = api.registry.pushes[int(tag) - 1 :]
        assert pushed == f"127.0.0.1:5000/box:{tag}"
        watch(SMALL_TALK + 1)
        done.callback(MANIFEST)
    assert connection.answer.whole
    assert [line["status"] for line in connection.answer.lines() if "status" in line and "id" not in line] == [
        "The push refers to repository [127.0.0.1:5000/box]",
        f"1: digest: {MANIFEST.digest} size: 528",
        f"2: digest: {MANIFEST.digest} size: 528",
    ]


def test_the_first_of_all_tags_that_fails_is_the_last_one(api: Api) -> None:
    api.image_source.add(*(image(tag, f"127.0.0.1:5000/box:{tag}") for tag in "23"))
    refused = api.open("POST", DOCKER)
    api.registry.pushes[-1][3].errback(RegistryForbids("denied"))
    assert (refused.answer.status, len(api.registry.pushes)) == (403, 1)
    connection = api.open("POST", DOCKER)
    api.registry.pushes[-1][3].callback(MANIFEST)
    api.registry.pushes[-1][3].errback(RegistryForbids("denied"))  # before any byte, but the status is out
    assert (connection.answer.status, len(api.registry.pushes)) == (200, 3)
    assert connection.answer.lines()[-1]["error"] == "denied"


def test_a_client_that_leaves_ends_the_push_of_all_tags(api: Api) -> None:
    api.image_source.add(image("new", "127.0.0.1:5000/box:2"))
    api.open("POST", DOCKER).hang_up()
    assert (api.registry.cancelled, len(api.registry.pushes)) == (1, 1)


def test_a_repository_of_which_nothing_is_here_is_404(api: Api) -> None:
    said = api.post("/images/127.0.0.1:5000/bo/push")
    words = "An image does not exist locally with the tag: 127.0.0.1:5000/bo"
    assert (said.status, said.json()["message"]) == (404, words)
    assert api.registry.pushes == []


@pytest.mark.parametrize(
    ("query", "field"), [({"format": "x"}, "format"), ({"compressionFormat": "x"}, "compressionFormat")]
)
def test_what_no_registry_takes_is_400_and_named(api: Api, query: dict[str, str], field: str) -> None:
    said = api.post(LIBPOD, **query)
    assert (said.status, field in said.json()["message"]) == (400, True)


def test_a_login_is_what_the_registry_says(api: Api) -> None:
    api.registry.known["127.0.0.1:5000"] = Credentials("me", "secret")
    body = {"username": "me", "password": "secret", "serveraddress": "127.0.0.1:5000"}
    said = api.post("/auth", body)
    assert (said.status, said.json()) == (200, {"IdentityToken": "", "Status": "Login Succeeded"})
    assert api.post("/auth", body | {"password": "wrong"}).status == 401
    assert api.post("/auth", {"serveraddress": "127.0.0.1:5000"}).status == 400
    assert api.post("/auth", body | {"username": "some\0body"}).status == 400
    assert api.post("/auth", {"identitytoken": "x"}).status == 501


@pytest.mark.parametrize("address", ["--help", "-h", "https://--get-login/v2/", "a b", "https://"])
def test_a_login_at_what_is_no_host_is_400_and_no_option_of_a_program(api: Api, address: str) -> None:
    said = api.post("/auth", {"username": "me", "password": "secret", "serveraddress": address})
    assert (said.status, "serveraddress" in said.json()["message"]) == (400, True)


@pytest.mark.parametrize(("transport", "destination"), [("dir", "dir:/tmp/x"), ("oci-archive", "oci-archive:/x.tar")])
def test_podman_pushes_to_and_pulls_from_registries_alone(api: Api, transport: str, destination: str) -> None:
    words = f'unsupported transport {transport} in "{destination}": only docker transport is supported'
    answers = [
        api.post(LIBPOD, destination=destination),
        api.post("/v5.0.0/libpod/images/pull", reference=destination),
    ]
    assert [(answer.status, answer.json()["message"]) for answer in answers] == [(400, words)] * 2


def test_credentials_that_cannot_be_read_are_none_to_docker_and_refused_to_podman(api: Api) -> None:
    headers = {"x_registry_auth": "%%%"}
    connection = api.open("POST", DOCKER, tag="1", headers=headers)
    api.registry.pushes[-1][3].callback(MANIFEST)
    assert connection.answer.lines()[-1]["aux"]["Tag"] == "1"
    assert api.post(LIBPOD, headers=headers).status == 400

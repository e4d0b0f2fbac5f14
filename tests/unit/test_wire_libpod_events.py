from __future__ import annotations

import pytest

from apiserver.engine.events.model import Action, Event, Kind
from apiserver.wire.libpod.events import action_word, event_filters, event_json, is_told
from tests.support.containers import CREATED

V5 = (5, 0, 0)


def test_a_volume_has_a_name_alone() -> None:
    shown = event_json(Event(Kind.VOLUME, Action.DESTROY, "db", CREATED, {"driver": "local"}), V5)
    assert (shown["Action"], shown["Actor"]) == (
        "remove",
        {"ID": "", "Attributes": {"driver": "local", "image": "", "name": "db", "podId": ""}},
    )
    assert "id" not in shown


def test_a_network_is_called_so_and_the_default_one_is_podman() -> None:
    shown = event_json(Event(Kind.NETWORK, Action.CREATE, "b" * 64, CREATED, {"name": "apiserver"}), V5)
    assert shown["Actor"] == {"ID": "b" * 64, "Attributes": {"image": "", "name": "", "network": "podman", "podId": ""}}


def test_podman_does_not_tell_of_networks_that_a_start_joins_and_an_end_leaves() -> None:
    for action in (Action.CONNECT, Action.DISCONNECT):
        assert not is_told(Event(Kind.NETWORK, action, "b" * 64, CREATED), V5)
    assert is_told(Event(Kind.NETWORK, Action.CREATE, "b" * 64, CREATED), V5)


def test_a_container_has_its_image_outside_too_as_podman_has_it() -> None:
    shown = event_json(Event(Kind.CONTAINER, Action.START, "c" * 64, CREATED, {"image": "bb:t", "name": "web"}), V5)
    assert (shown["id"], shown["from"], shown["status"], shown["Type"]) == ("c" * 64, "bb:t", "start", "container")
    assert "HealthStatus" not in shown


def test_an_image_has_an_id_of_digits_alone() -> None:
    shown = event_json(Event(Kind.IMAGE, Action.LOAD, "d" * 64, CREATED, {"name": "bb:t"}), V5)
    assert (shown["id"], shown["Action"]) == ("d" * 64, "loadfromarchive")


def test_images_that_are_pulled_pushed_and_saved_are_told_of() -> None:
    events = [Event(Kind.IMAGE, action, "d" * 64, CREATED) for action in (Action.PULL, Action.PUSH, Action.SAVE)]
    assert [(is_told(each, V5), action_word(each)) for each in events] == [
        (True, "pull"),
        (True, "push"),
        (True, "save"),
    ]


def test_an_image_is_called_by_its_whole_name_where_it_is_known() -> None:
    attributes = {"name": "sha256:" + "d" * 64, "reference": "docker.io/library/bb:t"}
    shown = event_json(Event(Kind.IMAGE, Action.UNTAG, "d" * 64, CREATED, attributes), V5)
    assert shown["Actor"] == {
        "ID": "d" * 64,
        "Attributes": {"image": "", "name": "docker.io/library/bb:t", "podId": ""},
    }


def test_the_exit_code_is_told_once_more_at_the_removal() -> None:
    shown = event_json(Event(Kind.CONTAINER, Action.DESTROY, "c" * 64, CREATED, {"exitCode": "3"}), V5)
    assert (shown["Action"], shown["Actor"]) == (
        "remove",
        {"ID": "c" * 64, "Attributes": {"containerExitCode": "3", "image": "", "name": "", "podId": ""}},
    )


@pytest.mark.parametrize("action", [Action.MOUNT, Action.UNMOUNT])
def test_podman_does_not_tell_of_volumes_that_are_mounted(action: Action) -> None:
    assert not is_told(Event(Kind.VOLUME, action, "db", CREATED), V5)
    assert is_told(Event(Kind.CONTAINER, action, "c" * 64, CREATED), V5)


@pytest.mark.parametrize("action", [Action.EXEC_CREATE, Action.RESIZE, Action.DETACH, Action.OOM])
def test_what_podman_has_no_word_for_is_not_told(action: Action) -> None:
    event = Event(Kind.CONTAINER, action, "c" * 64, CREATED)
    assert not is_told(event, V5)
    assert action_word(event) == ""


def test_filters_know_podmans_other_names() -> None:
    assert event_filters({"EVENT": ["die"], "status": ["start"], "network": ["podman"], "label": []}) == {
        "event": ["died", "start"],
        "network": ["apiserver"],
    }


def test_clients_before_5_get_an_exit_code_with_every_event() -> None:
    started = Event(Kind.CONTAINER, Action.START, "c" * 64, CREATED)
    assert event_json(started, (4, 3, 1))["Actor"] == {
        "ID": "c" * 64,
        "Attributes": {"containerExitCode": "0", "image": "", "name": "", "podId": ""},
    }


def test_a_pull_that_failed_has_a_name_and_a_reason_and_old_clients_do_not_know_it() -> None:
    event = Event(Kind.IMAGE, Action.PULL_ERROR, "", CREATED, {"name": "r.example/box:1", "error": "no"})
    shown = event_json(event, V5)
    assert (shown["Action"], shown["Actor"]) == (
        "pull-error",
        {"ID": "", "Attributes": {"error": "no", "image": "", "name": "r.example/box:1", "podId": ""}},
    )
    assert "id" not in shown
    assert (is_told(event, V5), is_told(event, (4, 9, 4))) == (True, False)

"""The list of routes against what is built, in both directions."""

from __future__ import annotations

from collections import Counter

import pytest

from apiserver.api.catalogue import Catalogue, Entry, Key, keys_of, read_entries
from apiserver.api.groups import GROUPS, build_groups, built_routes, load_catalogue, missing_routes, served_routes
from apiserver.http.route import Route
from apiserver.http.table import head_of

PRECEDENCE = [
    "auth",
    "artifacts",
    "archive",
    "containers",
    "distribution",
    "events",
    "exec",
    "generate",
    "healthcheck",
    "images",
    "info",
    "manifest",
    "monitor",
    "networks",
    "ping",
    "kube",
    "plugins",
    "pods",
    "quadlets",
    "secrets",
    "swagger",
    "swarm",
    "system",
    "version",
    "volumes",
]


def test_the_groups_are_in_order_of_precedence() -> None:
    assert [group.name for group in GROUPS] == PRECEDENCE


def test_each_path_begins_with_a_head_of_its_group() -> None:
    heads = {group.name: group.heads for group in GROUPS}
    assert [entry for entry in read_entries() if head_of(entry.path) not in heads[entry.group]] == []
    assert [route for name, route in built_routes() if head_of(route.path) not in heads[name]] == []


def test_each_entry_belongs_to_a_group_and_is_there_once() -> None:
    entries = read_entries()
    assert {entry.group for entry in entries} == set(PRECEDENCE)
    assert [key for key, count in Counter(entry.key for entry in entries).items() if count > 1] == []


def test_all_that_is_built_is_in_the_list_under_its_group() -> None:
    listed = {entry.key: entry.group for entry in read_entries()}
    built: dict[Key, str] = {key: group for group, route in built_routes() for key in keys_of(route)}
    assert {key: listed.get(key) for key in built} == built


def test_a_name_that_may_hold_slashes_in_the_list_may_so_in_the_code() -> None:
    spans = {entry.key: bool(entry.spans) for entry in read_entries()}
    for _, route in built_routes():
        for key in keys_of(route):
            assert ("<image:" in route.path) == spans[key], route.path


def test_all_in_the_list_is_built_or_missing_and_never_both() -> None:
    served, missing = served_routes(), missing_routes()
    assert Counter(served + missing) == Counter((entry.method, entry.path, entry.group) for entry in read_entries())


def test_swarm_and_monitor_count_as_built_with_their_final_answers() -> None:
    assert not [path for _, path, group in missing_routes() if group in ("swarm", "monitor", "ping")]


@pytest.mark.parametrize(
    ("method", "path", "group"),
    [
        ("GET", "/containers/{name}/json", "containers"),
        ("GET", "/containers/{id}/attach/ws", "containers"),
        ("POST", "/session", "images"),
        ("POST", "/build/prune", "images"),
        ("GET", "/nodes/{id}", "swarm"),
        ("POST", "/configs/create", "swarm"),
        ("GET", "/libpod/_ping", "ping"),
    ],
)
def test_templates_are_those_of_the_apis(method: str, path: str, group: str) -> None:
    assert (method, path, group) in served_routes() + missing_routes()


def test_what_is_not_built_is_found_by_method_version_and_query() -> None:
    catalogue = Catalogue(
        [
            Entry("x", "GET", "/x/{name}/json", spans=("name",)),
            Entry("x", "POST", "/y/{id}", versions=(0, 3)),
            Entry("x", "POST", "/z", query="fromSrc"),
            Entry("x", "*", "/any"),
        ],
        [],
    )

    def none(name: str) -> bool:
        return False

    assert catalogue.unbuilt("GET", "/x/a/b/json", 1, none) == "GET /x/{name}/json"
    assert catalogue.unbuilt("PUT", "/x/a/json", 1, none) is None
    assert catalogue.unbuilt("POST", "/y/a", 3, none) == "POST /y/{id}"
    assert catalogue.unbuilt("POST", "/y/a", 4, none) is None
    assert catalogue.unbuilt("POST", "/y/a/b", 1, none) is None
    assert catalogue.unbuilt("POST", "/z", 1, none) is None
    assert catalogue.unbuilt("POST", "/z", 1, lambda name: name == "fromSrc") == "POST /z"
    assert catalogue.unbuilt("DELETE", "/any", 1, none) == "DELETE /any"
    assert catalogue.knows_by_others("/y/a", "GET")
    assert not catalogue.knows_by_others("/y/a", "POST")
    assert not catalogue.knows_by_others("/y", "GET")


def test_dots_and_stars_in_a_template_are_taken_as_they_stand() -> None:
    assert not Entry("x", "GET", "/a.b/{n}").matches("/axb/1")


def test_what_lies_below_a_prefix_of_another_group_is_not_built_by_it() -> None:
    below = Entry("secrets", "GET", "/secrets/{name}")
    own = Entry("swarm", "GET", "/nodes/{id}")
    routes = [Route(path=path, methods=(), endpoint="e", prefix=True) for path in ("/secrets/", "/nodes/")]
    catalogue = Catalogue([below, own], [("swarm", route) for route in routes])
    assert (catalogue.built, catalogue.missing) == ([own], [below])


def test_a_group_that_lacks_a_service_is_named() -> None:
    with pytest.raises(TypeError, match="the group auth needs pushes"):
        build_groups()


def test_the_list_is_read_anew_only_when_asked_for() -> None:
    assert len(load_catalogue().entries) == len(read_entries())

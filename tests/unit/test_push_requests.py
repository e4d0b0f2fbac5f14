"""Where a push may go."""

from __future__ import annotations

import pytest

from apiserver.errors import RegistryFailed, RegistryUnreachable
from apiserver.local.images.push_requests import PushRequests

OTHER = "wants the upload sent to another host"
CLEAR = "where anybody could read them"


def asked(registry: str, ping: str) -> PushRequests:
    requests = PushRequests(registry)
    requests.look("GET", ping)
    return requests


@pytest.mark.parametrize(
    ("registry", "ping", "method", "url"),
    [
        ("r.example", "https://r.example/v2/", "PATCH", "https://r.example/v2/box/blobs/uploads/1"),
        ("r.example", "https://r.example/v2/", "PUT", "https://R.EXAMPLE:5443/v2/box/blobs/uploads/1?digest=x"),
        ("r.example", "https://r.example/v2/", "GET", "https://auth.example/token?scope=x"),
        ("r.example", "https://r.example/v2/", "POST", "https://auth.example/token"),
        ("r.example", "http://r.example/v2/", "PATCH", "https://r.example/v2/box/blobs/uploads/1"),
        ("r.example", "http://r.example/v2/", "GET", "http://auth.example/token?scope=x"),
        (
            "docker.io",
            "https://registry-1.docker.io/v2/",
            "PATCH",
            "https://registry-1.docker.io/v2/box/blobs/uploads/1",
        ),
        ("[::1]:5000", "http://[::1]:5000/v2/", "PATCH", "http://[::1]:5000/v2/box/blobs/uploads/1"),
    ],
)
def test_a_request_goes_to_the_registry_and_for_a_token_to_whom_it_names(
    registry: str, ping: str, method: str, url: str
) -> None:
    asked(registry, ping).look(method, url)


@pytest.mark.parametrize(
    ("ping", "method", "url", "words"),
    [
        ("https://r.example/v2/", "PATCH", "https://s3.example/up", f"r.example {OTHER}, https://s3.example: "),
        ("https://r.example/v2/", "PUT", "https://s3.example:444/up", f"{OTHER}, https://s3.example:444: "),
        ("https://r.example/v2/", "PATCH", "https://cdn.r.example/up", f"{OTHER}, https://cdn.r.example: "),
        ("https://r.example/v2/", "PATCH", "https://r.example@evil.example/up", f"{OTHER}, https://evil.example: "),
        ("http://r.example/v2/", "PATCH", "http://127.0.0.1/up", f"{OTHER}, http://127.0.0.1: "),
        ("https://r.example/v2/", "DELETE", "https://s3.example/v2/", f"{OTHER}, https://s3.example: "),
        ("https://r.example/v2/", "PATCH", "https://r.example\u2100/up", "r.example names a place that cannot be read"),
        ("https://r.example/v2/", "PATCH", "https://[::1/up", "cannot be read: Invalid IPv6 URL"),
        ("https://r.example/v2/", "PATCH", "http://r.example/up", f"http://r.example, {CLEAR}"),
        ("https://r.example/v2/", "GET", "http://auth.example/token?scope=x", f"http://auth.example, {CLEAR}"),
        ("https://r.example/v2/", "GET", "http://r.example/v2/?scope=x", f"http://r.example, {CLEAR}"),
    ],
)
def test_nothing_goes_to_another_host_and_no_credentials_go_in_the_clear(
    ping: str, method: str, url: str, words: str
) -> None:
    with pytest.raises(RegistryUnreachable) as caught:
        asked("r.example", ping).look(method, url)
    assert words in str(caught.value)


def test_a_registry_that_answers_by_plain_http_after_all_is_asked_so() -> None:
    requests = asked("r.example:5000", "https://r.example:5000/v2/")
    requests.look("GET", "http://r.example:5000/v2/")
    requests.look("POST", "http://r.example:5000/v2/box/blobs/uploads/")
    requests.check_seen()


def test_the_look_of_another_registry_changes_nothing() -> None:
    requests = asked("r.example", "https://r.example/v2/")
    requests.look("GET", "https://other.example/v2/")
    with pytest.raises(RegistryUnreachable):
        requests.look("GET", "http://other.example/v2/")
    with pytest.raises(RegistryUnreachable):
        requests.look("PATCH", "http://r.example/up")


def test_a_push_of_which_nothing_was_seen_is_an_error() -> None:
    requests = PushRequests("r.example")
    with pytest.raises(RegistryFailed):
        requests.check_seen()

"""A repository whose tags are more than a manifest may be long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.test_pull_docker import pull
from tests.support.http_server import Handler, RunningServer
from tests.support.service import Service

PAGES = 3
ON_A_PAGE = 15_000
"""Of tags of 128 characters: 2 MB."""


class Tags(Handler):
    """Has the tags of `many`, page by page, and none of its manifests."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/v2/":
            self.say(200, b"{}")
        elif url.path == "/v2/many/tags/list":
            page = int(parse_qs(url.query).get("page", ["1"])[0])
            tags = [f"{page}-{number:0126}" for number in range(ON_A_PAGE)]
            body = json.dumps({"name": "many", "tags": tags}).encode()
            following = {"Link": f'</v2/many/tags/list?page={page + 1}>; rel="next"'} if page < PAGES else {}
            self.say(200, body, Content_Type="application/json", **following)
        else:
            self.say(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}')


@pytest.fixture
def server() -> Iterator[RunningServer]:
    made = RunningServer(Tags)
    yield made
    made.close()


def test_they_are_all_heard_and_pulled_from_the_first(service: Service, server: RunningServer) -> None:
    status, (said,) = pull(service, f"{server.host}/many", "")
    assert (status, str(said["message"])[:100]) == (404, f"manifest for {server.host}/many:1-{'0' * 126}"[:100])

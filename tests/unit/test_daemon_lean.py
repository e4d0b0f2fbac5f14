"""What a start imports, looked at in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

UNWANTED = (
    *("OpenSSL", "cryptography", "service_identity", "werkzeug.serving", "werkzeug.test", "http.client", "treq"),
    *("klein._form", "klein._session", "tomllib", "asyncio.base_events", "ssl", "twisted.spread.banana"),
    *("werkzeug.datastructures.headers", "werkzeug.sansio.http", "mimetypes"),
)


def imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*(n for n, m in sys.modules.items() if m is not None))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_a_start_without_tls_imports_no_more_than_it_needs() -> None:
    modules = imported(
        "from apiserver.daemon.lean import import_lean; import_lean(tls=False); import apiserver.daemon.assembly"
    )
    assert "apiserver.http.router" in modules
    assert modules.isdisjoint(UNWANTED)
    groups = {name for name in modules if name.startswith("apiserver.api.")}
    assert groups == {"apiserver.api.groups", "apiserver.api.catalogue"}
    assert not {name for name in modules if name.startswith("apiserver.wire")}


def test_with_tls_openssl_can_be_imported() -> None:
    modules = imported(
        "from apiserver.daemon.lean import import_lean; import_lean(tls=True); import apiserver.daemon.tls"
    )
    assert "OpenSSL" in modules


REDIRECTED = """
from werkzeug.routing import Map, RequestRedirect, Rule
try:
    Map([Rule('/a/', endpoint='a')]).bind('d').match('/a')
except RequestRedirect as redirect:
    answer = redirect.get_response({})
assert (answer.status_code, answer.headers['Location']) == (308, 'http://d/a/')
"""
PUT_OFF = (
    *("http.cookiejar", "urllib.request", "werkzeug", "klein", "asyncio.base_events", "werkzeug.http"),
    *(
        "werkzeug.urls",
        "werkzeug.utils",
        "werkzeug.sansio.http",
        "werkzeug.datastructures.headers",
        "twisted.spread.banana",
    ),
)


@pytest.mark.parametrize("what", PUT_OFF)
def test_what_is_put_off_is_there_when_somebody_wants_it(what: str) -> None:
    use = {
        "http.cookiejar": "import http.cookiejar as m; m.CookieJar",
        "urllib.request": "import urllib.request; urllib.request.Request('http://a/')",
        "werkzeug": "import werkzeug.routing as m; m.Map",
        "klein": "import klein._app as m; m.Klein",
        "werkzeug.http": "from werkzeug.http import parse_set_header as m; assert 'a' in m('a, b')",
        "werkzeug.urls": "from werkzeug.urls import uri_to_iri as m; assert m('/%C3%A4') == m(m('/%C3%A4')) == '/ä'",
        "werkzeug.utils": REDIRECTED,
        "werkzeug.sansio.http": "from werkzeug.datastructures import Accept, HeaderSet; str(HeaderSet(['a b']))",
        "werkzeug.datastructures.headers": "import werkzeug.datastructures as m; m.Headers({'a': 'b'})",
        "twisted.spread.banana": "from twisted.spread.pb import Copyable as m, PBClientFactory",
        "asyncio.base_events": "import asyncio as m; m.run(m.sleep(0)); assert m.Future is m.futures.Future",
    }
    assert what in imported(f"from apiserver.daemon.lean import import_lean; import_lean(tls=False)\n{use[what]}")


def test_the_options_are_understood_without_twisted() -> None:
    modules = imported("from apiserver.daemon.options import read_options; import apiserver.cli.serve")
    assert not {name for name in modules if name.split(".")[0] in ("twisted", "klein", "werkzeug")}

"""What a start imports, looked at in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

UNWANTED = (
    *("OpenSSL", "cryptography", "service_identity", "werkzeug.serving", "werkzeug.test", "http.client", "treq"),
    *("klein._form", "klein._session", "tomllib", "asyncio.base_events", "ssl"),
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


@pytest.mark.parametrize("what", ["http.cookiejar", "urllib.request", "werkzeug", "klein", "asyncio.base_events"])
def test_what_is_put_off_is_there_when_somebody_wants_it(what: str) -> None:
    use = {
        "http.cookiejar": "import http.cookiejar as m; m.CookieJar",
        "urllib.request": "import urllib.request; urllib.request.Request('http://a/')",
        "werkzeug": "import werkzeug.routing as m; m.Map",
        "klein": "import klein._app as m; m.Klein",
        "asyncio.base_events": "import asyncio as m; m.run(m.sleep(0)); assert m.Future is m.futures.Future",
    }
    assert what in imported(f"from apiserver.daemon.lean import import_lean; import_lean(tls=False)\n{use[what]}")


def test_the_options_are_understood_without_twisted() -> None:
    modules = imported("from apiserver.daemon.options import read_options; import apiserver.cli.serve")
    assert not {name for name in modules if name.split(".")[0] in ("twisted", "klein", "werkzeug")}

"""Which credentials the host has for a repository, as containers/image finds them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from apiserver.drivers.process import Programs
from apiserver.engine.ports.registry import Credentials
from apiserver.errors import HostError
from apiserver.local.registries import registries_conf
from apiserver.local.registries.host_credentials import (
    BadAuthFile,
    CredentialHelperFailed,
    HostCredentials,
    HostCredentialsFailed,
)
from apiserver.local.registries.registries_conf import BadRegistriesConf
from tests.support.results import at_once, result_of

REGISTRY = "r.example:5000"
BOX = f"{REGISTRY}/ns/box"
RUNTIME, CONTAINERS, DOCKER, LEGACY = (
    "run/auth.json",
    "home/.config/containers/auth.json",
    "home/.docker/config.json",
    "home/.dockercfg",
)
SECRET = "s3cret-Pa55-word"


def auth(username: str, password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def auths(username: str, key: str = REGISTRY) -> dict[str, Any]:
    return {"auths": {key: auth(username)}}


class Host:
    """A host's files and programs, in a directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.conf = folder / "etc/registries.conf"
        self.programs = Programs(reactor, search_path=[str(self.bin), "/usr/bin", "/bin"])

    def write(self, name: str, content: Any) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))

    def program(self, name: str, script: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def helper(self, name: str, script: str) -> None:
        self.program(f"docker-credential-{name}", script)

    def knows(self, name: str, username: str, password: str = SECRET) -> None:
        self.helper(name, f"""echo '{json.dumps({"ServerURL": "x", "Username": username, "Secret": password})}'""")

    def credentials(
        self, named: str = "", proxies: Mapping[str, str] | None = None, helper_limit: float = 30.0
    ) -> HostCredentials:
        return HostCredentials(
            self.programs,
            at_once,
            self.folder / named if named else None,
            None,
            proxies,
            runtime=self.folder / RUNTIME,
            home=self.folder / "home",
            helper_limit=helper_limit,
        )

    def found(self, location: str = BOX) -> Credentials | None:
        """Where no program is to be asked."""
        return result_of(self.credentials().find(location))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    monkeypatch.setattr(registries_conf, "SYSTEM", host.conf)
    monkeypatch.setattr(registries_conf, "USER", tmp_path / "home/.config/containers/registries.conf")
    return host


def test_a_host_without_any_file_has_none(host: Host) -> None:
    assert host.found() is None


@pytest.mark.parametrize(
    ("files", "username"),
    [
        ({RUNTIME: auths("a"), CONTAINERS: auths("b", BOX)}, "a"),
        ({RUNTIME: auths("a", "other.example"), CONTAINERS: auths("b"), DOCKER: auths("c")}, "b"),
        ({RUNTIME: {}, CONTAINERS: None, DOCKER: auths("c"), LEGACY: {REGISTRY: auth("d")}}, "c"),
        ({DOCKER: {"auths": None, "credHelpers": None}, LEGACY: {REGISTRY: auth("d")}}, "d"),
    ],
)
def test_the_first_file_that_has_any_counts(host: Host, files: Mapping[str, Any], username: str) -> None:
    for name, content in files.items():
        host.write(name, content)
    assert host.found() == Credentials(username, SECRET)


@pytest.mark.parametrize(
    ("entries", "username"),
    [
        ({REGISTRY: "host", "r.example:5000/ns": "ns", "r.example:5000/ns/box": "box"}, "box"),
        ({REGISTRY: "host", "r.example:5000/ns": "ns"}, "ns"),
        ({"r.example:5000/n": "n", "r.example:5000/ns/bo": "bo", "r.example:5000/ns/box/x": "x"}, None),
        ({"r.example": "no port", "ns/box": "no host", "ns": "no host"}, None),
        ({"https://r.example:5000/v2/": "v2", "r.example:5000": "host"}, "host"),
        ({"https://r.example:5000/v2/": "v2"}, "v2"),
        ({"http://r.example:5000": "plain"}, "plain"),
        ({"https://r.example:5000/ns/box": "the whole registry's"}, "the whole registry's"),
        ({"r.example:5000/v1/": "a namespace"}, None),
        ({"R.EXAMPLE:5000": "another name"}, None),
    ],
)
def test_of_a_file_the_most_specific_key_counts_and_then_urls(
    host: Host, entries: Mapping[str, str], username: str | None
) -> None:
    host.write(DOCKER, {"auths": {key: auth(each) for key, each in entries.items()}})
    assert host.found() == (Credentials(username, SECRET) if username else None)


@pytest.mark.parametrize("key", ["docker.io", "https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_has_many_names(host: Host, key: str) -> None:
    host.write(DOCKER, {"auths": {key: auth("a")}})
    assert host.found("docker.io/library/box") == Credentials("a", SECRET)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("https://r.example:5000/v1/", True),
        ("r.example:5000/v1/", True),
        ("r.example:5000/ns", True),
        ("r.other", False),
    ],
)
def test_in_dockers_first_format_every_key_is_a_registry(host: Host, key: str, found: bool) -> None:
    host.write(LEGACY, {key: {**auth("a"), "email": "x@r.example"}})
    assert host.found() == (Credentials("a", SECRET) if found else None)


def test_in_dockers_first_format_nothing_is_more_specific_than_the_registry(host: Host) -> None:
    host.write(LEGACY, {f"{REGISTRY}/ns": auth("b"), REGISTRY: auth("a")})
    assert host.found() == Credentials("a", SECRET)


def test_an_entry_that_has_none_hides_the_rest_of_its_file_and_not_the_next_file(host: Host) -> None:
    host.write(RUNTIME, {"auths": {"r.example:5000/ns": {}, "r.example:5000": auth("a")}})
    assert host.found() is None
    host.write(DOCKER, auths("b"))
    assert host.found() == Credentials("b", SECRET)


@pytest.mark.parametrize(
    ("entry", "credentials"),
    [
        ({"auth": ""}, None),
        (None, None),
        ({"identitytoken": "t"}, None),
        ({"auth": base64.b64encode(b"no colon").decode()}, None),
        ({"auth": "Og=="}, None),
        ({"auth": "Og==", "identitytoken": "t"}, Credentials("", "", "t")),
        ({"auth": "dTpwOnc="}, Credentials("u", "p:w")),
        ({"auth": "dTp3"}, Credentials("u", "w")),
        ({"auth": "dTp\r\n3"}, Credentials("u", "w")),
        ({"auth": base64.b64encode(b"u:p\0\0").decode()}, Credentials("u", "p")),
        ({"AUTH": "dTp3", "IdentityToken": "\ud800"}, Credentials("u", "w", "\ufffd")),
        ({"auth": "dTp3", "email": 5, "registrytoken": "r"}, Credentials("u", "w")),
    ],
)
def test_an_entry_is_read_as_gos_decoder_reads_it(host: Host, entry: Any, credentials: Credentials | None) -> None:
    host.write(RUNTIME, {"Auths": {REGISTRY: entry}, "credsStore": "nope", "HttpHeaders": {"x": "y"}})
    assert host.found() == credentials


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        (f'{{"auths": {{"{REGISTRY}": {{"auth": "{SECRET}}}}}', "Unterminated string starting at"),
        ('{"x": NaN}', "NaN is not JSON"),
        (b"\xef\xbb\xbf{}", "BOM"),
        ([], "the file is no object"),
        ({"auths": [SECRET]}, "auths is no object"),
        ({"auths": {f"https://u:{SECRET}@other": SECRET}}, "an entry is no object"),
        ({"auths": {f"https://u:{SECRET}@other": {"auth": [SECRET]}}}, "an auth is no string"),
        ({"credHelpers": {"other": [SECRET]}}, "a helper is no string"),
        ("[" * 100_000, "recursion"),
        ({"auths": {REGISTRY: {"auth": SECRET}}}, "the auth for r.example:5000 is not base64"),
        ({"auths": {REGISTRY: {"auth": "dTpw="}}}, "the auth for r.example:5000 is not base64"),
        ({"auths": {REGISTRY: {"auth": "dTr/"}}}, "the auth for r.example:5000 is not UTF-8"),
    ],
)
def test_a_broken_file_is_an_error_that_names_it_and_no_secret(host: Host, content: Any, said: str) -> None:
    host.write(CONTAINERS, content)
    host.write(DOCKER, auths("b"))
    with pytest.raises(BadAuthFile) as failed:
        host.found()
    message = str(failed.value)
    assert (str(host.folder / CONTAINERS) in message, said in message, SECRET in message) == (True, True, False)
    assert str(failed.value.cause) == "invalid file of credentials"


def test_broken_files_after_the_one_that_counts_do_no_harm(host: Host) -> None:
    host.write(RUNTIME, {"auths": {**auths("a")["auths"], "other": {"auth": "!"}}})
    host.write(CONTAINERS, "{")
    assert host.found() == Credentials("a", SECRET)


@pytest.mark.parametrize("obstacle", ["directory", "file in between"])
def test_a_file_that_cannot_be_read_is_an_error(host: Host, obstacle: str) -> None:
    if obstacle == "directory":
        (host.folder / DOCKER).mkdir(parents=True)
    else:
        host.write("home/.docker", "")
    with pytest.raises(BadAuthFile, match=r"home/\.docker/config\.json: (Is a|Not a) directory"):
        host.found()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("version", "found"),
    [("skopeo version 1.9.3", True), ("skopeo version 1.11.0", False), ("skopeo version 1.18.0", False), ("?", False)],
)
async def test_beside_a_named_file_those_of_the_home_count_for_an_old_skopeo_alone(
    host: Host, version: str, found: bool
) -> None:
    host.program("skopeo", f"echo '{version}'")
    host.write(RUNTIME, auths("never"))
    host.write(DOCKER, auths("home"))
    credentials = host.credentials(named="named.json")
    assert await credentials.find(BOX) == (Credentials("home", SECRET) if found else None)
    host.write("named.json", auths("named"))
    assert await credentials.find(BOX) == Credentials("named", SECRET)


# Programs


@pytest_twisted.ensureDeferred
async def test_a_helper_of_a_file_hears_the_registry_and_counts_before_the_entries_of_that_file(host: Host) -> None:
    host.write(RUNTIME, {**auths("a", BOX), "credHelpers": {REGISTRY: "test"}})
    host.helper("test", f"""echo "$*; $(cat); $PWD_OF" >{host.folder}/heard; echo '{{"Username":"u","Secret":"p"}}'""")
    credentials = host.credentials(proxies={"PWD_OF": "proxy"})
    assert await credentials.find(BOX) == Credentials("u", "p")
    assert (host.folder / "heard").read_text() == "get; r.example:5000; proxy\n"


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("script", "credentials"),
    [
        ("""echo '{"Username":"<token>","Secret":"t"}'""", Credentials("", "", "t")),
        ("""echo '{"username":"u","SECRET":"p","more":1} and more'""", Credentials("u", "p")),
        ("""echo '{"Username":"u"}'""", Credentials("u")),
        ("echo '{}'", Credentials("next", SECRET)),
        ("echo null", Credentials("next", SECRET)),
        ("echo; echo ' credentials not found in native keychain'; exit 1", Credentials("next", SECRET)),
    ],
)
async def test_what_a_helper_answers(host: Host, script: str, credentials: Credentials) -> None:
    host.write(RUNTIME, {**auths("hidden"), "credHelpers": {REGISTRY: "test"}})
    host.write(DOCKER, auths("next"))
    host.helper("test", script)
    assert await host.credentials().find(BOX) == credentials


NO_ANSWER = "its answer is no JSON object of ServerURL, Username and Secret"


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            f"echo {SECRET}; echo {SECRET} >&2; exit 3",
            f"exit status 3; `echo {REGISTRY} | docker-credential-test get`",
        ),
        ("kill -9 $$", "exit status 137; "),
        ("echo 'not credentials not found in native keychain'; exit 1", "exit status 1; "),
        ("", NO_ANSWER),
        ("echo credentials not found in native keychain", NO_ANSWER),
        (f"echo '{SECRET}'", NO_ANSWER),
        (f"""echo '["{SECRET}"]'""", NO_ANSWER),
        (f"""echo '{{"Username":"u","Secret":["{SECRET}"]}}'""", NO_ANSWER),
        (f"yes {SECRET}", "wrote more than 1048576 bytes"),
    ],
)
async def test_a_helper_that_fails_is_an_error_that_names_it_and_the_registry_and_no_secret(
    host: Host, script: str, said: str
) -> None:
    host.write(RUNTIME, {"credHelpers": {REGISTRY: "test"}})
    host.write(DOCKER, auths("not asked"))
    host.helper("test", script)
    with pytest.raises(CredentialHelperFailed) as failed:
        await host.credentials().find(BOX)
    message = str(failed.value)
    assert message.startswith(f"credential helper failed: docker-credential-test for r.example:5000: {said}")
    assert SECRET not in message


@pytest_twisted.ensureDeferred
async def test_a_helper_that_hangs_is_killed(host: Host) -> None:
    host.write(RUNTIME, {"credHelpers": {REGISTRY: "test"}})
    host.helper("test", f"echo {SECRET} >&2; echo $$ >{host.folder}/pid; exec sleep 100")
    with pytest.raises(CredentialHelperFailed) as failed:
        await host.credentials(helper_limit=0.5).find(BOX)
    assert str(failed.value).endswith("docker-credential-test for r.example:5000: took longer than 0.5 s")
    assert not Path(f"/proc/{(host.folder / 'pid').read_text().strip()}").exists()


@pytest.mark.parametrize(
    ("helper", "said"),
    [
        ("nope", "it is not installed or not executable"),
        ("", "it is not installed or not executable"),
        ("no-program", "bin/docker-credential-no-program cannot be started: Exec format error"),
        ("../test", "it is searched in PATH, where this is no name"),
        ("\0", "it is searched in PATH, where this is no name"),
    ],
)
def test_a_helper_that_cannot_be_run_is_an_error(host: Host, helper: str, said: str) -> None:
    (host.bin / "docker-credential-no-program").write_text("x")
    (host.bin / "docker-credential-no-program").chmod(0o755)
    host.knows("test", "u")
    host.write(RUNTIME, {"credHelpers": {REGISTRY: helper}})
    with pytest.raises(CredentialHelperFailed) as failed:
        host.found()
    assert str(failed.value).endswith(said)


# registries.conf


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("helpers", "username"),
    [
        ([], "file"),
        (["containers-auth.json"], "file"),
        (["one", "containers-auth.json"], "one"),
        (["containers-auth.json", "one"], "file"),
        (["none", "two", "one"], "two"),
        (["bad", "nope", "one"], "one"),
        (["none"], None),
    ],
)
async def test_registries_conf_says_who_is_asked(host: Host, helpers: list[str], username: str | None) -> None:
    host.write("etc/registries.conf", f"credential-helpers = {json.dumps(helpers)}")
    host.write(DOCKER, auths("file", f"{REGISTRY}/ns"))
    host.knows("one", "one")
    host.knows("two", "two")
    host.helper("none", "echo credentials not found in native keychain; exit 1")
    host.helper("bad", "exit 1")
    assert await host.credentials().find(BOX) == (Credentials(username, SECRET) if username else None)


@pytest_twisted.ensureDeferred
async def test_a_broken_file_is_passed_over_where_somebody_else_has_credentials(host: Host) -> None:
    host.write("etc/registries.conf", 'credential-helpers = ["containers-auth.json", "one"]')
    host.write(DOCKER, "{")
    host.knows("one", "one")
    assert await host.credentials().find(BOX) == Credentials("one", SECRET)


@pytest_twisted.ensureDeferred
async def test_where_nobody_has_any_all_that_failed_is_told(host: Host) -> None:
    host.write("etc/registries.conf", 'credential-helpers = ["bad", "containers-auth.json", "none"]')
    host.write(DOCKER, "{")
    host.helper("bad", "exit 7")
    host.helper("none", "echo credentials not found in native keychain; exit 1")
    with pytest.raises(HostCredentialsFailed) as failed:
        await host.credentials().find(BOX)
    first, second = re.findall(r"(credential helper failed|invalid file of credentials): (\S+)", str(failed.value))
    assert first == ("credential helper failed", "docker-credential-bad")
    assert second == ("invalid file of credentials", f"{host.folder / DOCKER}:")
    assert isinstance(failed.value, HostError)


@pytest.mark.parametrize(
    ("files", "username"),
    [
        ({"": '["one"]', ".d/a.conf": '["two"]', ".d/b.conf": "[]"}, "file"),
        ({"": '["one"]', ".d/a.conf": '["two"]', ".d/b.con": "[]"}, "two"),
        ({".d/a.conf": '["two"]', ".d/b.conf": '["one"]'}, "one"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_last_file_that_lists_helpers_counts_alone(
    host: Host, files: Mapping[str, str], username: str
) -> None:
    for name, helpers in files.items():
        host.write(f"etc/registries.conf{name}", f"Credential-Helpers = {helpers}")
    host.write("etc/registries.conf.d/z.conf", "")
    host.write(DOCKER, auths("file"))
    host.knows("one", "one")
    host.knows("two", "two")
    assert await host.credentials().find(BOX) == Credentials(username, SECRET)


@pytest.mark.parametrize("helpers", ['"one"', "[1]", "{}", "5"])
def test_helpers_that_are_no_list_of_names_are_an_error(host: Host, helpers: str) -> None:
    host.write("etc/registries.conf", f"credential-helpers = {helpers}")
    with pytest.raises(BadRegistriesConf, match=r"registries\.conf: credential-helpers is not a list of strings"):
        host.found()


def test_a_registries_conf_that_is_named_and_not_there_is_an_error(host: Host) -> None:
    credentials = HostCredentials(host.programs, at_once, None, host.conf)
    with pytest.raises(BadRegistriesConf, match=r"registries\.conf: there is no such file"):
        result_of(credentials.find(BOX))

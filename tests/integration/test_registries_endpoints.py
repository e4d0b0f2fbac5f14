"""Where skopeo itself looks for a repository and its signatures, with the host's files and with those of a call."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from apiserver.local.registries import lookaside, registries_conf
from apiserver.local.registries.endpoints import Endpoint, Source, destination, source, write_conf
from apiserver.local.registries.lookaside import write_registries_d
from tests.support.image_archive import busybox_image
from tests.support.registry import DockerRegistry, docker_registry

DIGEST = "@sha256:" + "a" * 64
PROXY = "127.0.0.1:1"
"""Where nobody listens."""

_TRIED = re.compile(r'Trying to access \\"(.*?)\\"')
_BLOCKED = re.compile(r'Accessing \\"\S+ failed: registry \S+ is blocked in')
_SIGNATURES = re.compile(r'Using \\"(?:lookaside|sigstore)(?:-staging)?\\" (\S+?)"|(using built-in default)')


class Host:
    """A host with files of the test's under /etc/containers and in root's `~/.config/containers`."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.places = {"etc": folder / "etc", "root": self.home / ".config/containers"}
        for place in self.places.values():
            (place / "registries.conf.d").mkdir(parents=True)
            (place / "registries.d").mkdir()
        (self.places["root"] / "registries.d").rmdir()
        self.named = folder / "named.conf"

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            where, _, rest = name.partition("/")
            path = self.named if name == "named" else self.places[where] / rest
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def skopeo(self, *words: str, conf: Path | None = None, stdin: str = "", code: int = 1) -> str:
        """What it says, mostly when it is asked for what it will not get."""
        namespace = ("unshare", "--mount", "--propagation", "private")
        bound = (*namespace, "sh", "-c", 'mount --bind "$0" /etc/containers && exec "$@"', str(self.places["etc"]))
        options = () if conf is None else ("--registries-conf", str(conf))
        done = subprocess.run(
            [*bound, "skopeo", "--debug", "--insecure-policy", *options, *words],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stderr


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    for module, name in ((registries_conf, "registries.conf"), (lookaside, "registries.d")):
        monkeypatch.setattr(module, "SYSTEM", made.places["etc"] / name)
        monkeypatch.setattr(module, "USER", made.places["root"] / name)
    return made


def asked(log: str) -> list[Endpoint]:
    """The places that skopeo says it tries, and how, in order."""
    _, *attempts = re.split(r"(?=Trying to access)", log)
    found = []
    for each in attempts:
        tried = _TRIED.match(each)
        assert tried
        location = tried[1].removesuffix(DIGEST).removesuffix(":1")
        plain = re.search(rf'msg="GET http://(?:registry-1\.)?{re.escape(location.partition("/")[0])}/v2/', each)
        found.append(Endpoint(location, bool(plain), blocked=bool(_BLOCKED.search(each))))
    return found


def expected(said: Source, suffix: str) -> list[Endpoint]:
    """The same by us; of a blocked one skopeo does not show how it would ask there."""
    left_out = "digest-only" if suffix == ":1" else "tag-only"
    mirrors = [each for each in said.mirrors if each.pull_from_mirror != left_out]
    if said.mirror_by_digest_only and suffix == ":1":
        mirrors = []
    return [Endpoint(each.location, each.insecure and not each.blocked, blocked=each.blocked)
            for each in (*mirrors, said.registry)]  # fmt: skip


def entry(location: str = "", *more: str, prefix: str = "") -> str:
    lines = [f'{key} = "{value}"' for key, value in (("location", location), ("prefix", prefix)) if value]
    return "\n".join(["[[registry]]", *lines, *more, ""])


def mirror(location: str, *more: str) -> str:
    return "\n".join(["[[registry.mirror]]", f'location = "{location}"', *more, ""])


INSECURE, BLOCKED = "insecure = true", "blocked = true"
ETC, ETC_D, ROOT, ROOT_D = (f"{where}/registries.conf{more}" for where in ("etc", "root") for more in ("", ".d/1.conf"))

CASES: dict[str, tuple[str, Mapping[str, str]]] = {
    "no entry": ("r.invalid/ns/box", {}),
    "insecure": ("r.invalid/ns/box", {ETC: entry("r.invalid", INSECURE)}),
    "rewritten": ("r.invalid/ns/box", {ETC: entry("up.invalid/a/b", prefix="r.invalid/ns")}),
    "longest": (
        "r.invalid/ns/box",
        {ETC: entry("1.invalid", prefix="r.invalid") + entry("2.invalid/x", prefix="r.invalid/ns")},
    ),
    "not a whole part": ("r.invalid/ns/box", {ETC: entry("up.invalid", prefix="r.invalid/n")}),
    "port": ("r.invalid:5/box", {ETC: entry("up.invalid", INSECURE, prefix="r.invalid")}),
    "wildcard": ("a.b.invalid/ns/box", {ETC: entry("up.invalid/x", prefix="*.invalid") + entry(prefix="*.c.invalid")}),
    "wildcard without location": ("a.b.invalid:5/box", {ETC: entry("", INSECURE, prefix="*.b.invalid")}),
    "as long": (
        "a.b.invalid/box",
        {ETC: entry("1.invalid/x", prefix="a.b.invalid") + entry("2.invalid/x", prefix="*.b.invalid")},
    ),
    "mirrors": (
        "r.invalid/box",
        {
            ETC: entry("up.invalid", INSECURE, prefix="r.invalid")
            + mirror("m1.invalid/p", INSECURE, 'pull-from-mirror = "tag-only"')
            + mirror("m2.invalid", 'pull-from-mirror = "digest-only"')
            + mirror("r.invalid")
        },
    ),
    "mirrors by digest": (
        "r.invalid/box",
        {ETC: entry("r.invalid", "mirror-by-digest-only = true") + mirror("m.invalid")},
    ),
    "blocked": ("r.invalid/box", {ETC: entry("r.invalid", BLOCKED) + mirror("m.invalid")}),
    "blocked prefix, rewritten": ("r.invalid/box", {ETC: entry("up.invalid", BLOCKED, prefix="r.invalid")}),
    "blocked mirror": (
        "r.invalid/box",
        {
            ETC: entry("r.invalid") + mirror("m.invalid/a") + mirror("m.invalid/b") + entry("m.invalid/b", INSECURE),
            ETC_D: entry("m.invalid", BLOCKED),
        },
    ),
    "drop-ins": (
        "r.invalid/box",
        {
            ETC: entry("r.invalid", INSECURE),
            ETC_D: entry("1.invalid", prefix="r.invalid"),
            ROOT_D: entry("2.invalid", prefix="r.invalid"),
            "etc/registries.conf.d/2.conf": entry("3.invalid", prefix="r.invalid"),
        },
    ),
    "root's own": (
        "r.invalid/box",
        {ETC: entry("1.invalid", prefix="r.invalid"), ETC_D: entry("2.invalid", prefix="r.invalid"), ROOT: ""},
    ),
    "named": (
        "r.invalid/box",
        {"named": "", ROOT: entry("1.invalid", prefix="r.invalid"), ETC_D: entry("2.invalid", prefix="r.invalid")},
    ),
    "version 1": ("r.invalid/box", {ETC: '[registries.insecure]\nregistries = ["r.invalid/"]'}),
    "version 1, blocked": ("r.invalid/box", {ETC: '[registries.block]\nregistries = ["r.invalid"]'}),
    "docker.io": ("docker.io/box", {ETC: entry("docker.io", INSECURE) + mirror("m.invalid/hub")}),
    "docker.io/library": ("docker.io/box", {ETC: entry("m.invalid/hub", prefix="docker.io/library")}),
    "any case": (
        "r.invalid/box",
        {ETC: '[[Registry]]\nPrefix = "r.invalid"\nLocation = "up.invalid"\nINSECURE = true'},
    ),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [":1", DIGEST], ids=["tag", "digest"])
@pytest.mark.parametrize("case", CASES)
def test_skopeo_asks_where_we_say_and_with_the_private_file_too(host: Host, case: str, suffix: str) -> None:
    repository, files = CASES[case]
    host.write(files)
    main = host.named if "named" in files else None
    said = source(repository, main)
    words = ("inspect", f"docker://{repository}{suffix}")
    assert asked(host.skopeo(*words, conf=main)) == expected(said, suffix)

    private = write_conf(host.home / "private.conf", repository, said, {})
    assert asked(host.skopeo(*words, conf=private)) == expected(said, suffix)

    first = said.endpoints[0]
    proxies = write_conf(host.home / "proxies.conf", repository, said, {first.host: PROXY})
    through = [
        Endpoint(PROXY + each.location[len(each.host) :], insecure=True)
        if each.host == first.host and not each.blocked else each
        for each in expected(said, suffix)
    ]  # fmt: skip
    assert asked(host.skopeo(*words, conf=proxies)) == through


@pytest.mark.parametrize(
    "conf",
    [
        entry("docker.io", prefix="r.invalid"),
        entry("up.invalid/UP", prefix="r.invalid"),
        entry("r.invalid") + mirror("m.invalid/"),
        entry("r.invalid") + mirror(""),
        entry("x.invalid", INSECURE, prefix="a.invalid") + entry("x.invalid"),
        entry("x.invalid", 'pull-from-mirror = "all"'),
        entry("x.invalid", prefix="*.invalid/ns"),
        entry("x.invalid", 'insecure = "yes"'),
    ],
)
def test_what_we_refuse_skopeo_refuses(host: Host, conf: str) -> None:
    host.write({ETC: conf})
    with pytest.raises(registries_conf.BadRegistriesConf):
        source("r.invalid/box")
    assert asked(host.skopeo("inspect", "docker://r.invalid/box:1")) == []


@pytest.mark.parametrize("name", ["r.invalid/ns/box", "r.invalid/other", "b.invalid/box", "r.invalid", "b.invalid"])
def test_a_push_and_a_login_look_up_the_name_itself(host: Host, tmp_path: Path, name: str) -> None:
    conf = entry("up.invalid", INSECURE, prefix="r.invalid/ns") + mirror("m.invalid")
    host.write({ETC: conf + entry("elsewhere.invalid", BLOCKED, prefix="b.invalid")})
    if "/" in name:
        log = host.skopeo("copy", f"dir:{image(tmp_path / 'image')}", f"docker://{name}:1")
    else:
        log = host.skopeo("login", "-u", "u", "--password-stdin", name, stdin="p")
    host_name = name.partition("/")[0]
    schemes = dict.fromkeys(re.findall(r'msg="GET (https?)://([^/]*)/v2/', log))
    said = destination(name)
    assert said.location == name
    assert said.blocked == ("is blocked in" in log) == (not schemes)
    assert [each for each in schemes if each[1] != host_name] == []
    assert said.insecure == (("http", host_name) in schemes)


ALL = "default-docker:\n  lookaside: file:///all\n  lookaside-staging: file:///all-staging\n"
SIGNATURES: dict[str, tuple[str, str]] = {
    "none": ("etc", ""),
    "all": ("etc", ALL),
    "host": ("etc", ALL + "docker:\n  r.invalid:\n    sigstore: file:///host\n"),
    "nearest": (
        "root",
        "docker:\n  r.invalid/ns: {lookaside-staging: 'file:///ns'}\n  r.invalid: {lookaside: 'file:///host'}\n",
    ),
    "repository": ("etc", ALL + "docker: {r.invalid/ns/box: {lookaside: 'file:///box', sigstore: 'file:///not'}}"),
    "tag": ("etc", ALL + "docker: {'r.invalid/ns/box:1': {sigstore-staging: 'file:///tag'}}"),
    "digest": ("etc", f"docker: {{'r.invalid/ns/box{DIGEST}': {{lookaside: 'file:///digest'}}}}"),
    "wildcard": ("etc", "docker: {'*.invalid': {lookaside: 'file:///wild'}, r.invalid: }"),
    "another": ("etc", ALL + "docker: {other.invalid: {lookaside: 'file:///other'}}"),
}


@pytest.mark.parametrize("words", [["inspect", ":1"], ["inspect", DIGEST], ["copy", ":1"]], ids=lambda words: words[0])
@pytest.mark.parametrize("case", SIGNATURES)
def test_signatures_lie_where_they_lay_when_a_proxy_is_asked(
    host: Host, tmp_path: Path, case: str, words: list[str]
) -> None:
    where, text = SIGNATURES[case]
    host.write({f"{where}/registries.d/1.yaml": text})
    subcommand, suffix = words
    begin = [subcommand, *([f"dir:{image(tmp_path / 'image')}"] if subcommand == "copy" else [])]
    direct = signatures(host.skopeo(*begin, f"docker://r.invalid/ns/box{suffix}"))
    directory = write_registries_d(tmp_path / "registries.d", {"r.invalid/ns/box": PROXY})
    options = () if directory is None else ("--registries.d", str(directory))
    assert signatures(host.skopeo(*options, *begin, f"docker://{PROXY}/ns/box{suffix}")) == direct
    other = [*begin, f"docker://other.invalid/ns/box{suffix}"]
    assert signatures(host.skopeo(*options, *other)) == signatures(host.skopeo(*other))


def signatures(log: str) -> str:
    """Where it looks for them."""
    (found,) = dict.fromkeys(str(match[1] or match[2]) for match in _SIGNATURES.finditer(log))
    return found


def test_a_registries_d_that_is_given_stands_in_for_the_hosts(host: Host, tmp_path: Path) -> None:
    host.write({"etc/registries.d/1.yaml": ALL})
    (tmp_path / "given").mkdir()
    assert signatures(
        host.skopeo("--registries.d", str(tmp_path / "given"), "inspect", "docker://r.invalid/box:1")
    ) == ("using built-in default")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        running.put_image("ns/box", "1", busybox_image())
        yield running


@pytest.mark.parametrize("attached", [True, False])
def test_signatures_that_are_attached_to_images_are_looked_for_through_a_proxy_too(
    host: Host, tmp_path: Path, registry: DockerRegistry, attached: bool
) -> None:
    host.write({
        "etc/registries.d/1.yaml": f"default-docker: {{use-sigstore-attachments: {not attached}}}\n"
        f"docker: {{r.invalid/ns: {{use-sigstore-attachments: {attached}}}}}\n"
    })  # fmt: skip
    directory = write_registries_d(tmp_path / "registries.d", {"r.invalid/ns/box": registry.host})
    words = ("copy", "--src-tls-verify=false", f"docker://{registry.host}/ns/box:1", f"dir:{tmp_path / 'copy'}")
    log = host.skopeo("--registries.d", str(directory), *words, code=0)
    assert ("Not looking for sigstore attachments: disabled by configuration" in log) == (not attached)


def image(folder: Path) -> Path:
    """One without layers, as skopeo's `dir:` has it."""
    folder.mkdir()
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    (folder / digest).write_text("{}")
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": f"sha256:{digest}", "size": 2}
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder

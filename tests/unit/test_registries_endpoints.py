"""What registries.conf says of a repository; see `tests/integration/test_images_endpoints.py` for skopeo's own view."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiserver.errors import NotImplementedYet
from apiserver.local.registries import registries_conf
from apiserver.local.registries.endpoints import Endpoint, Source, destination, full_name, source, write_conf
from apiserver.local.registries.registries_conf import BadRegistriesConf, search_registries


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host without any configuration: `etc` and `root` are where its files would be."""
    for name in ("etc", "root"):
        (tmp_path / name / "registries.conf.d").mkdir(parents=True)
    monkeypatch.setattr(registries_conf, "SYSTEM", tmp_path / "etc/registries.conf")
    monkeypatch.setattr(registries_conf, "USER", tmp_path / "root/registries.conf")
    return tmp_path


def write(host: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (host / name).write_text(text)


def entry(location: str = "", **more: str | bool) -> str:
    lines = [f'location = "{location}"'] if location else []
    lines += [
        f"{key.replace('_', '-')} = {str(value).lower() if value in (True, False) else repr(value)}"
        for key, value in more.items()
    ]
    return "\n".join(["[[registry]]", *lines, ""])


def mirror(location: str, limit: str = "", insecure: bool = False) -> str:
    lines = ["[[registry.mirror]]", f'location = "{location}"', f"insecure = {str(insecure).lower()}"]
    return "\n".join([*lines, *([f'pull-from-mirror = "{limit}"'] if limit else []), ""])


def test_what_no_entry_is_for_comes_from_itself(host: Path) -> None:
    write(host, {"etc/registries.conf": entry("other.example", insecure=True)})
    assert source("r.example/ns/box") == Source(Endpoint("r.example/ns/box"))


@pytest.mark.parametrize(
    ("repository", "conf", "location"),
    [
        ("r.example/ns/box", entry("r.example"), "r.example/ns/box"),
        ("r.example/ns/box", entry("r.example/"), "r.example/ns/box"),
        ("r.example/ns/box", entry("up.example", prefix="r.example"), "up.example/ns/box"),
        ("r.example/ns/box", entry("up.example/a/b", prefix="r.example/ns"), "up.example/a/b/box"),
        ("r.example/ns/box", entry("up.example/other", prefix="r.example/ns/box"), "up.example/other"),
        ("r.example/ns/box", entry("up.example", prefix="r.example/n"), "r.example/ns/box"),
        ("r.example/ns/box", entry("up.example", prefix="r.example/ns/box/more"), "r.example/ns/box"),
        ("r.example/ns/box", entry("up.example/x", prefix="r.example/ns/") + entry("r.example"), "up.example/x/box"),
        ("r.example/ns/box", entry("r.example") + entry("up.example/x", prefix="r.example/ns"), "up.example/x/box"),
        ("r.example:5/box", entry("up.example", prefix="r.example"), "up.example:5/box"),
        ("a.b.example/box", entry("up.example/x", prefix="*.example"), "up.example/x/box"),
        ("a.b.example:5/box", entry("up.example", prefix="*.b.example"), "up.example:5/box"),
        ("a.b.example/box", entry(prefix="*.b.example"), "a.b.example/box"),
        ("b.example/box", entry("up.example", prefix="*.b.example"), "b.example/box"),
        ("r.invalid/a.b.example/box", entry("up.example", prefix="*.b.example"), "r.invalid/a.b.example/box"),
        ("a.b.example/x", entry("up.example/1", prefix="*.example") + entry("up.example/2", prefix="*.b.example"),
         "up.example/2/x"),
        ("a.b.example/x", entry("up.example/1", prefix="a.b.example") + entry("up.example/2", prefix="*.b.example"),
         "up.example/2/x"),
        ("docker.io/library/box", entry("up.example", prefix="docker.io"), "up.example/library/box"),
        ("docker.io/box", entry("up.example/hub", prefix="docker.io/library"), "up.example/hub/box"),
        ("index.docker.io/box", "", "docker.io/library/box"),
        ("r.example/box", entry("docker.io/library", prefix="r.example"), "docker.io/library/box"),
        ("r.example/box", '[[Registry]]\nPREFIX = "r.example"\nLocation = "up.example"\n', "up.example/box"),
    ],
)  # fmt: skip
def test_the_longest_prefix_leads_to_its_location(host: Path, repository: str, conf: str, location: str) -> None:
    write(host, {"etc/registries.conf": conf})
    assert source(repository).registry.location == location


def test_mirrors_come_first_in_their_order_each_with_the_rest_of_the_path(host: Path) -> None:
    mirrors = mirror("m2.example/p", "digest-only") + mirror("m1.example", insecure=True) + mirror("m3.example", "all")
    write(host, {"etc/registries.conf": entry("up.example", prefix="r.example/ns") + mirrors})
    found = source("r.example/ns/box")
    assert found.mirrors == (
        Endpoint("m2.example/p/box", pull_from_mirror="digest-only"),
        Endpoint("m1.example/box", insecure=True),
        Endpoint("m3.example/box", pull_from_mirror="all"),
    )
    assert (found.registry, found.endpoints) == (Endpoint("up.example/box"), (*found.mirrors, found.registry))
    assert [each.host for each in found.endpoints] == ["m2.example", "m1.example", "m3.example", "up.example"]
    assert not found.mirror_by_digest_only


def test_mirror_by_digest_only_is_of_the_entry(host: Path) -> None:
    write(host, {"etc/registries.conf": entry("r.example", mirror_by_digest_only=True) + mirror("m.example")})
    assert source("r.example/box").mirror_by_digest_only


def test_what_is_blocked_is_looked_up_by_the_place_that_is_asked(host: Path) -> None:
    conf = entry("up.example", prefix="r.example", blocked=True) + mirror("m.example/a") + mirror("m.example/b")
    write(host, {"etc/registries.conf": conf, "etc/registries.conf.d/1.conf": entry("m.example/a", blocked=True)})
    found = source("r.example/box")
    assert [each.blocked for each in found.endpoints] == [True, False, False]
    assert source("m.example/a/box").registry.blocked
    assert destination("r.example/box").blocked


def test_later_files_replace_entries_of_the_same_prefix_and_the_first_of_a_file_counts(host: Path) -> None:
    write(host, {
        "etc/registries.conf": entry("r.example", insecure=True) + mirror("m.example"),
        "etc/registries.conf.d/2.conf": entry("second.example", prefix="r.example"),
        "etc/registries.conf.d/1.conf": entry("first.example", prefix="r.example"),
        "etc/registries.conf.d/3.not": entry("third.example", prefix="r.example"),
    })  # fmt: skip
    assert source("r.example/box") == Source(Endpoint("second.example/box"))
    write(host, {
        "root/registries.conf.d/0.conf":
            entry("root.example", prefix="r.example") + entry("never.example", prefix="r.example"),
    })  # fmt: skip
    assert source("r.example/box") == Source(Endpoint("root.example/box"))


def test_a_registries_conf_of_roots_own_hides_those_of_etc_but_not_where_one_is_named(host: Path) -> None:
    write(host, {
        "etc/registries.conf": entry("etc.example", prefix="a.example"),
        "etc/registries.conf.d/1.conf": entry("etc-d.example", prefix="b.example"),
        "root/registries.conf": "",
        "root/registries.conf.d/1.conf": entry("root-d.example", prefix="c.example"),
        "named.conf": "",
    })  # fmt: skip

    def found(main: Path | None) -> list[str]:
        return [source(f"{name}.example/x", main).registry.host for name in "abc"]

    assert found(None) == ["a.example", "b.example", "root-d.example"]
    assert found(host / "named.conf") == ["a.example", "etc-d.example", "root-d.example"]
    (host / "root/registries.conf").unlink()
    assert found(None) == ["etc.example", "etc-d.example", "root-d.example"]


def test_short_names_too_are_not_looked_for_in_files_that_do_not_count(host: Path) -> None:
    search = 'unqualified-search-registries = ["etc.example"]'
    write(host, {"root/registries.conf": "", "etc/registries.conf.d/1.conf": search})
    assert list(search_registries()) == []


def test_directories_and_what_lies_behind_a_link_of_registries_conf_d_do_not_count(host: Path) -> None:
    (host / "etc/registries.conf.d/a.conf").mkdir()
    elsewhere = (host / "root/registries.conf.d").rename(host / "elsewhere")
    write(host, {"elsewhere/1.conf": entry("up.example", prefix="r.example")})
    (host / "root/registries.conf.d").symlink_to(elsewhere)
    assert source("r.example/box") == Source(Endpoint("r.example/box"))


def test_the_first_version_of_the_format_says_what_is_insecure_and_what_is_blocked(host: Path) -> None:
    conf = """
        [registries.search]
        registries = ["s.example"]
        [registries.insecure]
        registries = ["i.example:5/", "both.example"]
        [registries.block]
        registries = ["both.example", "b.example/ns"]
    """
    write(host, {"etc/registries.conf": conf})
    assert source("i.example:5/box").registry == Endpoint("i.example:5/box", insecure=True)
    assert source("both.example/box").registry == Endpoint("both.example/box", insecure=True, blocked=True)
    assert source("b.example/ns/box").registry.blocked
    assert not source("b.example/box").registry.blocked
    assert source("s.example/box") == Source(Endpoint("s.example/box"))


@pytest.mark.parametrize(
    "conf",
    [
        "[[registry]",
        "registry = 5",
        "[[registry]]\nlocation = 5",
        '[[registry]]\nlocation = "r.example"\ninsecure = "yes"',
        '[[registry]]\nprefix = "r.example"',
        "[[registry]]",
        entry("https://r.example"),
        entry("x.example", prefix="http://r.example"),
        entry("x.example", prefix="*.example/ns"),
        entry("x.example", pull_from_mirror="all"),
        entry("x.example") + "[[registry.mirror]]\n",
        entry("x.example") + mirror("m.example", "sometimes"),
        entry("x.example") + mirror("http://m.example"),
        entry("x.example", mirror_by_digest_only=True) + mirror("m.example", "all"),
        entry("x.example", prefix="a.example", insecure=True) + entry("x.example", prefix="b.example"),
        entry("x.example", prefix="a.example", blocked=True) + entry("x.example"),
        entry("docker.io", prefix="r.example"),
        entry("index.docker.io/library", prefix="r.example"),
        entry("nodomain", prefix="r.example"),
        entry("up.example/UP", prefix="r.example"),
        entry("r.example") + mirror("m.example/"),
        entry("x.example") + '[registries.block]\nregistries = ["r.example"]',
    ],
)
def test_what_skopeo_would_refuse_is_an_error(host: Path, conf: str) -> None:
    write(host, {"etc/registries.conf": conf})
    with pytest.raises(BadRegistriesConf):
        source("r.example/box")


def test_a_file_of_the_first_version_in_registries_conf_d_is_an_error(host: Path) -> None:
    write(host, {"etc/registries.conf.d/1.conf": '[registries.block]\nregistries = ["r.example"]'})
    with pytest.raises(BadRegistriesConf, match=r"1\.conf"):
        source("r.example/box")


def test_a_named_file_has_to_be_there(host: Path) -> None:
    with pytest.raises(BadRegistriesConf, match="no such file"):
        source("r.example/box", host / "nowhere.conf")


@pytest.mark.parametrize(
    ("name", "insecure"),
    [
        ("r.example", False),
        ("r.example/ns/box", True),
        ("r.example/other", False),
        ("plain.example:5", True),
        ("plain.example:5/box", True),
        ("m.example/ns/box", False),
    ],
)
def test_a_push_goes_to_the_repository_itself_whose_own_entry_counts(host: Path, name: str, insecure: bool) -> None:
    conf = entry("up.example", prefix="r.example/ns", insecure=True) + mirror("m.example", insecure=True)
    write(host, {"etc/registries.conf": conf + entry("plain.example:5", insecure=True)})
    assert destination(name) == Endpoint(name, insecure)


def test_a_request_has_the_last_word_on_how_all_are_spoken_to() -> None:
    found = Source(Endpoint("r.example/box", blocked=True), (Endpoint("m.example/box", True, "tag-only"),), False)
    assert found.verified(None) == found
    assert [each.insecure for each in found.verified(True).endpoints] == [False, False]
    assert found.verified(False).endpoints == (
        Endpoint("m.example/box", True, "tag-only"),
        Endpoint("r.example/box", True, blocked=True),
    )


def test_a_host_that_may_be_insecure_is_no_other_and_does_not_count_where_a_request_says_how() -> None:
    found = Source(Endpoint("r.example/box"), (Endpoint("m.example/box"), Endpoint("r.example:5/box")))
    assert [each.insecure for each in found.verified(None, "r.example").endpoints] == [False, False, True]
    assert found.verified(True, "r.example") == found


def test_what_is_pulled_by_tag_goes_on_by_digest_at_mirrors_for_tags_alone_too() -> None:
    mirrors = tuple(Endpoint("m.example/box", pull_from_mirror=each) for each in ("tag-only", "digest-only", "all"))
    found = Source(Endpoint("r.example/box"), mirrors).by_tag()
    assert [each.pull_from_mirror for each in found.mirrors] == ["", "digest-only", "all"]


MIRRORED = Source(
    Endpoint("up.example/box"),
    (
        Endpoint("m1.example:5/p/box", pull_from_mirror="digest-only"),
        Endpoint("m2.example/box", insecure=True),
        Endpoint("m3.example/box", blocked=True),
    ),
)


def test_the_private_file_leads_to_proxys_and_leaves_the_rest_as_it_is(host: Path) -> None:
    proxies = {"up.example": "127.0.0.1:1", "m1.example:5": "127.0.0.1:2", "m3.example": "127.0.0.1:3"}
    file = write_conf(host / "private.conf", "r.example/ns/box", MIRRORED, proxies)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert source("r.example/ns/box", file) == Source(
        Endpoint("127.0.0.1:1/box", insecure=True),
        (
            Endpoint("127.0.0.1:2/p/box", insecure=True, pull_from_mirror="digest-only"),
            *MIRRORED.mirrors[1:],
        ),
    )
    assert source("r.example/ns/more", file) == Source(Endpoint("r.example/ns/more"))


def test_without_proxys_the_private_file_says_what_the_hosts_say(host: Path) -> None:
    write(host, {
        "etc/registries.conf":
            entry("up.example/x", prefix="r.example", insecure=True, mirror_by_digest_only=True)
            + mirror("m.example/ok") + mirror("m.example/not") + mirror("r.example") + entry("m.example/ok"),
        "etc/registries.conf.d/1.conf": entry("m.example", blocked=True),
    })  # fmt: skip
    found = source("r.example/box")
    assert [each.blocked for each in found.endpoints] == [False, True, False, False]
    assert source("r.example/box", write_conf(host / "private.conf", "r.example/box", found, {})) == found


def test_a_blocked_registry_stays_so_whatever_proxy_there_is(host: Path) -> None:
    write(host, {"etc/registries.conf": entry("docker.io", blocked=True)})
    file = write_conf(host / "p.conf", "docker.io/box", source("docker.io/box"), {"docker.io": "127.0.0.1:1"})
    assert source("docker.io/library/box", file).registry.blocked


def test_a_shorter_prefix_in_registries_conf_d_does_not_win_over_the_private_file(host: Path) -> None:
    write(host, {"etc/registries.conf.d/1.conf": entry("drop.example", prefix="r.example/ns")})
    proxies = {"drop.example": "127.0.0.1:1"}
    file = write_conf(host / "private.conf", "r.example/ns/box", source("r.example/ns/box"), proxies)
    assert source("r.example/ns/box", file).registry == Endpoint("127.0.0.1:1/box", insecure=True)


@pytest.mark.parametrize("where", ["etc", "root"])
@pytest.mark.parametrize(
    "conf",
    [
        entry("up.example/box", prefix="docker.io/library/box"),
        entry("docker.io/library/box/"),
        'credential-helpers = ["containers-auth.json", "of-the-tests"]',
    ],
)
def test_what_would_win_over_the_private_file_is_refused(host: Path, where: str, conf: str) -> None:
    write(host, {f"{where}/registries.conf.d/1.conf": conf, "root/registries.conf": ""})
    with pytest.raises(NotImplementedYet, match=r"registries\.conf\.d"):
        write_conf(host / "private.conf", "docker.io/box", source("docker.io/box"), {})
    assert not (host / "private.conf").exists()


def test_auth_json_is_no_helper_and_the_main_files_helpers_are_not_asked(host: Path) -> None:
    write(host, {
        "etc/registries.conf": 'credential-helpers = ["of-the-tests"]',
        "etc/registries.conf.d/1.conf": 'credential-helpers = ["containers-auth.json"]',
    })  # fmt: skip
    assert "of-the-tests" not in write_conf(host / "p.conf", "r.example/box", source("r.example/box"), {}).read_text()


def test_no_file_of_anybody_is_written_over(host: Path) -> None:
    (host / "private.conf").touch()
    with pytest.raises(FileExistsError):
        write_conf(host / "private.conf", "r.example/box", Source(Endpoint("r.example/box")), {})


TEXT = st.text(st.characters(codec="utf-8"))


@settings(deadline=None)  # files are as slow as the machine is busy
@given(location=TEXT, limit=TEXT)
def test_whatever_text_there_is_the_private_file_has_it_back(
    tmp_path_factory: pytest.TempPathFactory, location: str, limit: str
) -> None:
    file = tmp_path_factory.mktemp("conf") / "private.conf"
    told = Source(Endpoint(location), (Endpoint("m.example/box", pull_from_mirror=limit),))
    (said, *_) = tomllib.loads(write_conf(file, "r.example/box", told, {}).read_text())["registry"]
    assert said["location"] == location
    assert said["mirror"][0].get("pull-from-mirror", "") == limit


COMPONENT = st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)?", fullmatch=True)
PATHS = st.lists(COMPONENT, min_size=1, max_size=4).map("/".join)


@settings(deadline=None)
@given(path=PATHS, prefix=PATHS, up=PATHS)
def test_a_prefix_ends_where_a_part_of_the_path_does(
    tmp_path_factory: pytest.TempPathFactory, path: str, prefix: str, up: str
) -> None:
    main = tmp_path_factory.mktemp("conf") / "registries.conf"
    main.write_text(entry(f"up.example/{up}", prefix=f"r.example/{prefix}"))
    inside, outside = f"r.example/{prefix}/{path}", f"r.example/{prefix}{path}"
    assert source(inside, main).registry.location == f"up.example/{up}/{path}"
    assert source(outside, main).registry.location == outside


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("docker.io/box", "docker.io/library/box"),
        ("index.docker.io/ns/box", "docker.io/ns/box"),
        ("docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("r.example/box", "r.example/box"),
        ("r.example:5", "r.example:5"),
    ],
)
def test_docker_hub_has_one_name(name: str, full: str) -> None:
    assert full_name(name) == full

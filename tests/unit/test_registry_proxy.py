"""What the proxy of a registry lets through, and under which names."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.drivers.registry_proxy.challenges import Challenge, challenges, through_the_proxy
from apiserver.drivers.registry_proxy.connections import Trust, certificates_of, proxy_for
from apiserver.drivers.registry_proxy.origins import Origin, Places, Refused, keeps_credentials, split

PROXY = "http://127.70.1.2:5000"
SECURE, PLAIN = Origin("https", "r.example", 443), Origin("http", "r.example", 80)
OTHER = "wants the upload sent to another host"
CLEAR = "where anybody could read them"


def origin(url: str) -> Origin:
    return split(url)[0]


@pytest.mark.parametrize(
    ("url", "said", "target"),
    [
        ("https://R.Example/v2/?a=b", "https://r.example", "/v2/?a=b"),
        ("http://r.example:443", "http://r.example:443", "/"),
        ("http://[::1]:80/x", "http://[::1]", "/x"),
        ("https://user:secret@r.example:8443/x#fragment", "https://r.example:8443", "/x"),
        ("https://r.example@evil.example/x", "https://evil.example", "/x"),
        ("https://r.example:0/x", "https://r.example:0", "/x"),
        ('https://r.example/a b/\xe9"\\%2f?a=%20', "https://r.example", "/a%20b/%E9%22%5C%2f?a=%20"),
        ("https://r.example/a/./b/../c/..", "https://r.example", "/a/"),
        ("https://r.example/../../a//..", "https://r.example", "/a/"),
        ("https://r.example/.", "https://r.example", "/"),
        ("https://r.example//evil.example/", "https://r.example", "//evil.example/"),
    ],
)
def test_a_url_is_an_origin_and_a_target(url: str, said: str, target: str) -> None:
    assert (str(origin(url)), split(url)[1]) == (said, target)


@pytest.mark.parametrize(
    "url",
    [
        *("", "/v2/", "//r.example/", "ftp://r.example/", "https:///x", "https://[::1/", "https://r.example:x/"),
        *("https://r.example\u2100/", "https://r.example/\x01", "https://r.example/\u0100", "https://r.example:99999/"),
        *("https://r.example/?a b", "https://r.example/?\xe9"),
    ],
)
def test_what_is_no_url_of_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the library's own words for some of them
        split(url)


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ("https://r.example/elsewhere", True),
        ("https://R.EXAMPLE:8443/", True),
        ("https://cdn.r.example/", False),
        ("https://example/", False),
        ("https://r.example./", False),
        ("https://r.example.evil.example/", False),
        ("https://r.example@evil.example/", False),
        ("http://r.example/", False),
        ("http://r.example:443/", False),
    ],
)
def test_credentials_are_kept_for_the_same_host_name_and_by_tls_alone(after: str, kept: bool) -> None:
    assert keeps_credentials(SECURE, origin(after)) is kept


def test_who_had_them_in_the_clear_may_have_them_by_tls_too() -> None:
    assert keeps_credentials(PLAIN, SECURE)
    assert keeps_credentials(PLAIN, origin("http://r.example:5000/"))
    assert not keeps_credentials(PLAIN, origin("http://cdn.r.example/"))


@pytest.mark.parametrize(
    ("registry", "url", "words"),
    [
        (SECURE, "https://s3.example/up", f"r {OTHER}, https://s3.example: neither credentials nor the image"),
        (SECURE, "https://s3.example:444/up", f"{OTHER}, https://s3.example:444: "),
        (SECURE, "https://cdn.r.example/up", f"{OTHER}, https://cdn.r.example: "),
        (SECURE, "https://r.example@evil.example/up", f"{OTHER}, https://evil.example: "),
        (PLAIN, "http://127.0.0.1/up", f"{OTHER}, http://127.0.0.1: "),
        (SECURE, "http://r.example/up", f"r wants credentials at http://r.example, {CLEAR}"),
        (SECURE, "https://r.example\u2100/up", "r names a place that cannot be read"),
        (SECURE, "https://[::1/up", "cannot be read: Invalid IPv6 URL"),
    ],
)
def test_an_upload_goes_to_the_registry_alone_and_not_in_the_clear(registry: Origin, url: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        Places("r", registry).path_of_upload(url)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("registry", "url"),
    [
        (SECURE, "https://r.example/v2/box/blobs/uploads/1?state=x"),
        (SECURE, "https://r.example:8443/v2/box/blobs/uploads/1"),
        (PLAIN, "https://r.example/up"),
        (PLAIN, "http://r.example:5000/up"),
        (SECURE, "https://r.example/-/0/looks/like/ours"),
        (SECURE, "https://r.example/-/9"),
        (SECURE, "https://r.example//evil.example/up"),
        (SECURE, "https://r.example/x/..//evil.example/up"),
        (SECURE, "https://r.example/x/../-/1/up"),
        (SECURE, "https://r.example:8443/../2/up"),
    ],
)
def test_what_a_path_stands_for_is_what_it_was_made_for(registry: Origin, url: str) -> None:
    places = Places("r", registry)
    for _ in range(2):
        assert places.meant(places.path_of_upload(url)) == split(url)
        assert places.meant(places.path_of_realm("https://auth.example/token?x")) == split(
            "https://auth.example/token?x"
        )


@pytest.mark.parametrize("path", ["/-/", "/-/0/x", "/-/1/x", "/-/-1/x", "/-/x/", "/-/\u00b2/", "/-/1"])
def test_a_path_that_nobody_made_stands_for_nothing(path: str) -> None:
    places = Places("r", SECURE)
    with pytest.raises(ValueError, match="stands for nothing"):
        places.meant(path)


@given(st.text(max_size=40))
def test_whatever_a_registry_says_it_is_a_place_of_its_own_or_refused(said: str) -> None:
    places = Places("r", SECURE)
    for url in (said, f"https://{said}", f"https://r.example{said}"):
        try:
            path = places.path_of_upload(url)
        except Refused:
            continue
        found, _ = places.meant(path)
        assert (found.scheme, found.host) == ("https", "r.example")
        assert urljoin(f"{PROXY}/v2/", path) == PROXY + path


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('Basic realm="a \\"b\\" c"', [("basic", {"realm": 'a "b" c'})]),
        ("bearer realm=https://a.example/t,service=x", [("bearer", {"realm": "https://a.example/t", "service": "x"})]),
        (
            'Bearer realm="https://a.example/t",scope="repository:x:pull,push" , error="none"',
            [("bearer", {"realm": "https://a.example/t", "scope": "repository:x:pull,push", "error": "none"})],
        ),
        ('Basic realm="x", Bearer Realm = "y"', [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})]),
        ("Negotiate", [("negotiate", {})]),
        ("", []),
        (" , ", []),
    ],
)
def test_challenges_are_read(value: str, read: list[tuple[str, dict[str, str]]]) -> None:
    assert [(each.scheme, dict(each.parameters)) for each in challenges([value])] == read


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("Basic realm=Our Registry", ['Basic realm="Our"']),
        ('Basic realm="x', ['Basic realm="registry"']),
        ("Bearer realm=", ["Bearer"]),
        ('Bearer realm="https://r.example/t" y', ['Bearer realm="PROXY/t"']),
        ('Bearer realm="https://r.example/t",service=a b', ['Bearer realm="PROXY/t",service="a"']),
        ("=", []),
        ('"x"', []),
        ("NTLM TlRM/+==, Basic", []),
    ],
)
def test_what_cannot_be_read_of_a_challenge_does_not_count(value: str, told: list[str]) -> None:
    """As containers/image has it; a registry may say `Basic realm=Our Registry`."""
    said = through_the_proxy([value], Places("r", SECURE), PROXY)
    assert [each.replace(PROXY, "PROXY") for each in said] == told
    whole = through_the_proxy([value, 'Basic realm="z"'], Places("r", SECURE), PROXY)
    assert whole[-1] == 'Basic realm="z"'


def test_skopeo_goes_for_its_token_to_the_proxy() -> None:
    places = Places("r", SECURE)
    said = ['Bearer realm="https://auth.example/token?a=b",service="r",scope="repository:x:pull"', "Negotiate"]
    (told,) = through_the_proxy([*said], places, PROXY)
    assert told == f'Bearer realm="{PROXY}/-/1/token?a=b",service="r",scope="repository:x:pull"'
    assert places.meant("/-/1/token?a=b&scope=s") == split("https://auth.example/token?a=b&scope=s")
    assert through_the_proxy(['Basic realm="https://elsewhere.example"'], places, PROXY) == [
        'Basic realm="https://elsewhere.example"'
    ]


@pytest.mark.parametrize(
    ("realm", "words"),
    [
        ("http://auth.example/token", f"r wants credentials at http://auth.example, {CLEAR}"),
        ("HTTP://r.example/v2/", f"r wants credentials at http://r.example, {CLEAR}"),
        ("/token", "names a place that cannot be read"),
        ("file:///etc/shadow", "names a place that cannot be read"),
    ],
)
def test_a_realm_in_the_clear_or_nowhere_is_refused(realm: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        through_the_proxy([f'Bearer realm="{realm}"'], Places("r", SECURE), PROXY)
    assert words in str(refused.value)


def test_a_registry_that_has_no_tls_may_send_for_tokens_in_the_clear() -> None:
    (told,) = through_the_proxy(['Bearer realm="http://auth.example/token"'], Places("r", PLAIN), PROXY)
    assert told == f'Bearer realm="{PROXY}/-/1/token"'


@given(st.lists(st.tuples(st.sampled_from(["realm", "service", "scope"]), st.text(max_size=10))))
def test_what_is_written_of_a_challenge_is_read_again(parameters: list[tuple[str, str]]) -> None:
    written = Challenge("bearer", tuple(parameters))
    assert list(challenges([str(written)])) == [written]


@pytest.mark.parametrize(
    ("no_proxy", "url", "proxied"),
    [
        ("", "https://r.example/", True),
        ("*", "https://r.example/", False),
        ("r.example", "https://r.example/", False),
        ("R.Example", "https://r.example/", False),
        ("r.example", "https://cdn.r.example/", False),
        (".r.example", "https://cdn.r.example/", False),
        (".r.example", "https://r.example/", True),
        ("*.r.example", "https://cdn.r.example/", False),
        ("example", "https://notexample/", True),
        ("r.example:443", "https://r.example/", False),
        ("r.example:5000", "https://r.example/", True),
        ("a, r.example ,b", "https://r.example/", False),
        ("10.0.0.0/8", "https://10.1.2.3/", False),
        ("10.0.0.0/8", "https://11.1.2.3/", True),
        ("10.1.2.3", "https://10.1.2.3:5000/", False),
        ("10.1.2.3:5000", "https://10.1.2.3:5000/", False),
        ("fd00::/8", "https://[fd00::1]:5000/", False),
        ("[fd00::1]:5000", "https://[fd00::1]:5000/", False),
        ("fd00::1", "https://[fd00::1]:5000/", False),
        ("", "https://localhost/", False),
        ("", "https://127.9.9.9:5000/", False),
        ("", "https://[::1]:5000/", False),
    ],
)
def test_the_environment_says_which_proxy_leads_to_a_server(no_proxy: str, url: str, proxied: bool) -> None:
    environment = {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": no_proxy}
    assert bool(proxy_for(origin(url), environment)) is proxied


def test_each_scheme_has_a_proxy_of_its_own() -> None:
    environment = {"https_proxy": "http://s.example", "HTTP_PROXY": "http://p.example"}
    assert proxy_for(SECURE, environment) == "http://s.example"
    assert proxy_for(PLAIN, environment) == "http://p.example"
    assert proxy_for(PLAIN, {"HTTPS_PROXY": "http://s.example"}) == ""


def test_the_first_directory_of_certificates_counts(tmp_path_factory: pytest.TempPathFactory) -> None:
    first, second = (str(tmp_path_factory.mktemp("certs")) for _ in range(2))
    assert certificates_of("r.example:5000", (first, second)) == ""
    for each in (second, first):
        (tmp_path_factory.getbasetemp() / each / "r.example:5000").mkdir()
        assert certificates_of("r.example:5000", (first, second)) == f"{each}/r.example:5000"
    assert certificates_of("r.example", (first, second)) == ""


def test_authorities_are_read_once_and_who_we_are_is_proved_to_the_registry_alone() -> None:
    trust = Trust(verify=True, certificates="", known="r.example")
    ours, another = trust.context(SECURE), trust.context(origin("https://cdn.r.example/"))
    assert trust.context(SECURE) is ours
    assert trust.context(origin("https://r.example:8443/")) is ours
    assert trust.context(origin("https://auth.example/")) is another
    assert ours is not another

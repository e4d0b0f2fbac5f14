"""Archives of images as somebody would make them who means harm: strategies for hypothesis.

Members are written header by header, since no library makes the ones that are wrong.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.support.image_archive import Entry, TestImage, layer

BLOCK = 512
ESCAPED = "escaped-from-an-archive"
"""What every file is called that an archive tries to make where none of its files may be."""

_LAYER = layer([Entry("f", b"harmless")])
_IMAGE = TestImage((_LAYER,), (), {"Cmd": ["/f"]})
_CONFIG = _IMAGE.config_json


def _hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def header(name: bytes, kind: bytes, size: bytes, link: bytes = b"", *, broken: bool = False) -> bytes:
    """A tar header with its right checksum, unless it is to be broken; `size` is the field as it stands there."""
    fields = [name[:100].ljust(100, b"\0"), b"0000755\0", b"0000000\0", b"0000000\0", size[:12].ljust(12, b"\0")]
    fields += [b"14524770400\0", b" " * 8, kind, link[:100].ljust(100, b"\0"), b"ustar\x0000"]
    block = b"".join(fields).ljust(BLOCK, b"\0")
    checksum = b"%06o\0 " % (sum(block) + broken)
    return block[:148] + checksum + block[156:]


def octal(size: int) -> bytes:
    return b"%011o\0" % size


def member(name: bytes, data: bytes = b"", kind: bytes = b"0", link: bytes = b"") -> bytes:
    return header(name, kind, octal(len(data)), link) + data + b"\0" * (-len(data) % BLOCK)


NAMES = st.sampled_from(
    [
        *(
            b"manifest.json",
            b"./manifest.json",
            b"a/../manifest.json",
            b"/manifest.json",
            b"manifest.json/",
            b"index.json",
        ),
        *(
            b"oci-layout",
            b"repositories",
            b"",
            b".",
            b"..",
            b"/",
            b"\xff\xfe",
            b"a" * 100,
            b"layer.tar",
            b"config.json",
        ),
        *(prefix + ESCAPED.encode() for prefix in (b"../", b"../../", b"../../../../../../../../tmp/", b"/tmp/", b"/")),
        b"blobs/sha256/" + _hex(_LAYER).encode(),
        b"blobs/sha256/" + _hex(_CONFIG).encode(),
        b"blobs/sha256/../../../" + ESCAPED.encode(),
        b"blobs/sha256/" + b"0" * 64,
    ]
)
LINKS = st.sampled_from([b"", b"/etc/passwd", b"../../../../etc/passwd", b"manifest.json", b"..", b"/", b"\0", b"/tmp"])
KINDS = st.sampled_from([bytes([byte]) for byte in b"01234567SxgLKDV\0\xff"])
SIZES = st.one_of(
    st.sampled_from(
        [b"77777777777\0", b"-1", b"", b"8", b"\x80" + b"\xff" * 11, b"\xff" * 12, b" 7 ", b"0x10", b"\0" * 12]
    ),
    st.binary(max_size=12),
)
PAX = st.sampled_from(
    [
        b"20 path=../../x/../y\n",
        b"22 path=manifest.json\n",
        b"25 size=9999999999999999\n",
        b"11 size=-5\n",
        b"999999 path=a\n",
        b"0 path=a\n",
        b"-1 a=b\n",
        b"30 GNU.sparse.name=index.json\n\n",
        b"path=no-length\n",
        b"\0" * 40,
    ]
)

_TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "a:b", "x/y:1", "A:B", "localhost/a:1", "../a", "a@sha256:" + "0" * 64, "a:b:c", "\0", "é" * 300]
    ),
    st.text(max_size=8),
)
_PATHS = st.sampled_from(
    [
        *(
            "config.json",
            "layer.tar",
            "",
            ".",
            "..",
            "/etc/passwd",
            "../../../../etc/passwd",
            "manifest.json",
            "missing",
        ),
        *("blobs/sha256/" + _hex(_LAYER), "blobs/sha256/" + _hex(_CONFIG), "a" * 5000, "\0"),
    ]
)
_ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), _TEXTS, st.just([]), st.just({}), st.just([[]])
)


def _mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(usual, usual, usual, _ODD)


_DIGESTS = st.sampled_from(
    [
        *(
            "sha256:" + _hex(_LAYER),
            "sha256:" + _hex(_CONFIG),
            "sha256:" + "0" * 64,
            "sha256:" + "A" * 64,
            "sha256:",
            "",
        ),
        *("sha256:../../../" + ESCAPED, "sha512:" + "0" * 128, "md5:0", "sha256:" + "0" * 65),
    ]
)
_DESCRIPTOR = st.fixed_dictionaries(
    {},
    optional={
        "mediaType": _mostly(
            st.sampled_from(
                [
                    "application/vnd.oci.image.manifest.v1+json",
                    "application/vnd.oci.image.index.v1+json",
                    "application/vnd.oci.image.config.v1+json",
                    "application/vnd.oci.image.layer.v1.tar",
                    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                ]
            )
        ),
        "digest": _mostly(_DIGESTS),
        "size": _mostly(st.sampled_from([0, -1, 1, len(_LAYER), len(_CONFIG), 2**63, 2**70])),
        "annotations": _mostly(
            st.dictionaries(st.just("org.opencontainers.image.ref.name"), _mostly(_TEXTS), max_size=1)
        ),
        "urls": _mostly(st.lists(st.sampled_from(["file:///etc/passwd", "http://127.0.0.1:1/x"]), max_size=1)),
        "platform": _ODD,
    },
)
_DOCKER = _mostly(
    st.lists(
        _mostly(
            st.fixed_dictionaries(
                {},
                optional={
                    "Config": _mostly(_PATHS),
                    "RepoTags": _mostly(st.lists(_mostly(_TEXTS), max_size=3)),
                    "Layers": _mostly(st.lists(_mostly(_PATHS), max_size=3)),
                    "Parent": _ODD,
                    "LayerSources": _ODD,
                },
            )
        ),
        max_size=3,
    )
)
_OCI = _mostly(
    st.fixed_dictionaries(
        {},
        optional={
            "schemaVersion": _mostly(st.just(2)),
            "manifests": _mostly(st.lists(_mostly(_DESCRIPTOR), max_size=3)),
            "layers": _mostly(st.lists(_DESCRIPTOR, max_size=2)),
            "config": _mostly(_DESCRIPTOR),
        },
    )
)
_NO_JSON = st.sampled_from(
    [
        b"",
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b"\xef\xbb\xbf[]",
        b'[{"RepoTags": ["\\ud800"]}]',
        b'[{"Config": "a", "Config": "b"}]',
        b"1e999999",
        b"[" + b"9" * 5000 + b"]",
        b"null",
        b"[]{}",
        b"{",
    ]
)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


MANIFESTS = st.one_of(_DOCKER.map(_json), _OCI.map(_json), _NO_JSON)
"""Contents of manifest.json, index.json, or of a blob that is to be a manifest."""


@st.composite
def members(draw: st.DrawFn) -> bytes:
    """One member, right or wrong in its header."""
    kind = draw(KINDS)
    data = draw(st.one_of(PAX, st.binary(max_size=600), st.just(_LAYER))) if draw(st.booleans()) else b""
    size = draw(SIZES) if draw(st.integers(0, 3)) == 0 else octal(len(data))
    head = header(draw(NAMES), kind, size, draw(LINKS), broken=draw(st.integers(0, 9)) == 0)
    return head + data + b"\0" * (-len(data) % BLOCK)


@st.composite
def layers(draw: st.DrawFn) -> bytes:
    """A layer's tar; its headers are right, what they ask for is not."""
    names = st.sampled_from(
        [
            *(
                b"f",
                b"d/f",
                b"l/" + ESCAPED.encode(),
                b"l",
                b"d",
                b".wh.f",
                b".wh..",
                b".wh...",
                b".wh..wh..opq",
                b"d/.wh.x",
                b".",
            ),
            *(
                b".wh.",
                b"../" + ESCAPED.encode(),
                b"../../../" + ESCAPED.encode(),
                b"/" + ESCAPED.encode(),
                b"d/../../x",
            ),
        ]
    )
    targets = st.sampled_from([b"/tmp", b"../../../..", b"/etc/passwd", b"f", b"l", b"../../../../etc/passwd", b"."])
    kinds = st.sampled_from([b"0", b"1", b"2", b"3", b"4", b"5", b"6"])
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(kinds)
        parts.append(member(draw(names), b"data" if kind == b"0" else b"", kind, draw(targets)))
    return b"".join(parts) + b"\0" * (2 * BLOCK)


@st.composite
def well_formed(draw: st.DrawFn) -> bytes:
    """A docker-archive whose documents fit together, of hostile layers."""
    image = TestImage(tuple(draw(st.lists(layers(), min_size=1, max_size=2))), (), {"Cmd": ["/f"]})
    paths = [f"layer{number}.tar" for number in range(len(image.layers))]
    manifest = [{"Config": "config.json", "RepoTags": draw(st.sampled_from([None, ["hostile:1"]])), "Layers": paths}]
    files = {
        "config.json": image.config_json,
        "manifest.json": _json(manifest),
        **dict(zip(paths, image.layers, strict=True)),
    }
    return b"".join(member(name.encode(), data) for name, data in files.items()) + b"\0" * (2 * BLOCK)


@st.composite
def documented(draw: st.DrawFn) -> bytes:
    """Documents that say anything, over members that are there."""
    parts = [member(b"config.json", _CONFIG), member(b"layer.tar", _LAYER)]
    parts += [member(b"blobs/sha256/" + _hex(data).encode(), data) for data in (_CONFIG, _LAYER)]
    name = draw(st.sampled_from([b"manifest.json", b"index.json", b"./index.json"]))
    document = draw(MANIFESTS)
    if name.endswith(b"index.json") and draw(st.booleans()):
        # One step further in: an index that is right, and a manifest that is not.
        parts.append(member(b"blobs/sha256/" + _hex(document).encode(), document))
        entry = {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:" + _hex(document),
            "size": len(document),
        }
        document = _json({"schemaVersion": 2, "manifests": [entry]})
    parts.append(member(name, document))
    parts += draw(st.lists(members(), max_size=2))
    return b"".join(draw(st.permutations(parts))) + b"\0" * (2 * BLOCK)


_WORDS = _mostly(st.lists(_mostly(_TEXTS), max_size=3))
_PLACES = st.sampled_from(
    ["/", "/d", "", "relative", "/../..", "/proc/self/fd/3", "/a" * 3000, "/\0", "/\n", "/proc", "/f/x"]
)
_SET = _mostly(st.dictionaries(st.one_of(_TEXTS, _PLACES), _ODD, max_size=3))
_RUN = {
    "Env": _mostly(st.lists(_mostly(st.sampled_from(["A=b", "=", "A", "", "HOME=x\ny", "A=\0", "PATH="])), max_size=3)),
    "Cmd": _WORDS,
    "Entrypoint": _WORDS,
    "Shell": _WORDS,
    "OnBuild": _WORDS,
    "WorkingDir": _mostly(_PLACES),
    "User": _mostly(st.sampled_from(["", "root", "0", "4294967296", "-1", "0x0", "a:b:c", "root\n", "x" * 5000])),
    "Labels": _SET,
    "Volumes": _SET,
    "ExposedPorts": _mostly(
        st.dictionaries(st.sampled_from(["80/tcp", "0", "99999/tcp", "x", "1-9"]), _ODD, max_size=2)
    ),
    "StopSignal": _mostly(st.sampled_from(["TERM", "SIGRTMIN+3", "0", "-9", "65", "x"])),
    "Healthcheck": _mostly(st.fixed_dictionaries({}, optional={"Test": _WORDS, "Interval": _mostly(st.just(-1))})),
}
_TOP = {
    "created": _mostly(
        st.sampled_from(["2024-05-06T07:08:09Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59+23:59", "x"])
    ),
    "author": _mostly(_TEXTS),
    "comment": _mostly(_TEXTS),
    "architecture": _mostly(st.sampled_from(["amd64", "", "../x"])),
    "os": _mostly(st.sampled_from(["linux", "windows", ""])),
    "variant": _mostly(_TEXTS),
    "history": _mostly(
        st.lists(_mostly(st.fixed_dictionaries({}, optional={"created": _mostly(_TEXTS), "empty_layer": _ODD})))
    ),
}


@st.composite
def odd_configurations(draw: st.DrawFn) -> bytes:
    """A docker-archive of one harmless layer, `odd:1`, whose configuration says anything."""
    top: dict[str, Any] = draw(st.fixed_dictionaries({}, optional=_TOP))
    run = draw(_mostly(st.fixed_dictionaries({}, optional=_RUN)))
    top |= {"config": run, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + _hex(_LAYER)]}}
    manifest = [{"Config": "config.json", "RepoTags": ["odd:1"], "Layers": ["layer.tar"]}]
    files = {"config.json": _json(top), "manifest.json": _json(manifest), "layer.tar": _LAYER}
    return b"".join(member(name.encode(), data) for name, data in files.items()) + b"\0" * (2 * BLOCK)


def _cut(draw: st.DrawFn, data: bytes) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


_PACKED: tuple[Callable[[bytes], bytes], ...] = (bytes, bytes, bytes, gzip.compress, bz2.compress, lzma.compress)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Any of these, perhaps compressed, cut or with a byte changed."""
    scattered = st.lists(members(), max_size=6).map(b"".join)
    data = draw(st.sampled_from(_PACKED))(draw(st.one_of(documented(), documented(), well_formed(), scattered)))
    damage = draw(st.integers(0, 9))
    if damage == 0:
        data = _cut(draw, data)
    elif damage == 1 and data:
        place = draw(st.integers(0, len(data) - 1))
        data = data[:place] + bytes([data[place] ^ draw(st.integers(1, 255))]) + data[place + 1 :]
    return data

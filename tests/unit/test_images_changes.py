from __future__ import annotations

import pytest
from msgspec.structs import replace

from apiserver.engine.images.changes import apply_changes
from apiserver.engine.ports.images import ImageConfig
from apiserver.errors import InvalidParameter, NotImplementedYet

PLAIN = ImageConfig()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("CMD sleep 1", ImageConfig(cmd=("/bin/sh", "-c", "sleep 1"))),
        ('cmd ["sleep", "1"]', ImageConfig(cmd=("sleep", "1"))),
        ('ENTRYPOINT ["a b"]', ImageConfig(entrypoint=("a b",))),
        ("CMD [not json", ImageConfig(cmd=("/bin/sh", "-c", "[not json"))),
        ("ENV A=b C='d e'", ImageConfig(env=("A=b", "C=d e"))),
        ("ENV A b c", ImageConfig(env=("A=b c",))),
        ('LABEL x="y z" q=', ImageConfig(labels={"x": "y z", "q": ""})),
        ("EXPOSE 80 53/UDP 8000-8001", ImageConfig(exposed_ports=("53/udp", "80/tcp", "8000/tcp", "8001/tcp"))),
        ("USER 1000:1000", ImageConfig(user="1000:1000")),
        ('VOLUME ["/b", "/a"]', ImageConfig(volumes=("/a", "/b"))),
        ("VOLUME /b /a", ImageConfig(volumes=("/a", "/b"))),
        ("WORKDIR a/../b", ImageConfig(working_dir="/b")),
        ("STOPSIGNAL SIGUSR1", ImageConfig(stop_signal="SIGUSR1")),
        ("ONBUILD RUN x", ImageConfig(on_build=("RUN x",))),
        ("USER a\n# comment\n\nWORKDIR /w", ImageConfig(user="a", working_dir="/w")),
    ],
)
def test_an_instruction_changes_the_configuration(change: str, expected: ImageConfig) -> None:
    assert apply_changes(PLAIN, [change]) == expected


def test_instructions_build_on_what_is_there() -> None:
    config = apply_changes(replace(PLAIN, env=("A=1", "B=2"), working_dir="/w"), ["ENV A=3", "WORKDIR x"])
    assert (config.env, config.working_dir) == (("A=3", "B=2"), "/w/x")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("Foo x", "Foo is not a valid change command"),
        ("RUN x", "RUN is not a valid change command"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("CMD", "CMD requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=b c", "Syntax error"),
        ("ENV A='b", "ENV: No closing quotation"),
        ("EXPOSE 0", "invalid containerPort: 0"),
        ("EXPOSE 90-80", "invalid containerPort"),
        ("EXPOSE 80/icmp", "invalid proto: icmp"),
        ("USER a b", "USER requires exactly one argument"),
        ("VOLUME []", "VOLUME specified can not be an empty string"),
        ("STOPSIGNAL a b", "invalid signal"),
        ("ONBUILD FROM x", "FROM isn't allowed"),
    ],
)
def test_a_wrong_instruction_is_refused_in_dockers_words(change: str, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        apply_changes(PLAIN, [change])


def test_a_health_check_as_a_change_is_not_built_and_says_so() -> None:
    with pytest.raises(NotImplementedYet, match="HEALTHCHECK"):
        apply_changes(PLAIN, ["HEALTHCHECK NONE"])

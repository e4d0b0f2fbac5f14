"""The command line of `serve`, and the file that it may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from apiserver.daemon.endpoints import TcpEndpoint, TlsEndpoint, UnixEndpoint
from apiserver.daemon.options import Options, read_options, serve_parser


def read(*arguments: str) -> Options:
    return read_options(serve_parser("serve"), arguments)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        read(*arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_the_defaults_are_those_of_the_documentation() -> None:
    options = read()
    assert (options.root, options.runroot) == (Path("/var/lib/apiserver"), Path("/run/apiserver"))
    assert (options.idle_timeout, options.drain_timeout, options.listen) == (300.0, None, ())
    assert (options.log_level, options.log_format, options.cors, options.pid_file) == ("info", "text", None, None)


def test_listen_may_be_repeated() -> None:
    assert read("--listen", "unix:/a", "--listen", "tcp:1").listen == (UnixEndpoint(Path("/a")), TcpEndpoint(1))


def test_names_of_hosts_may_be_repeated_and_have_no_case(tmp_path: Path) -> None:
    said = read("--allowed-host", "Engine.Example", "--allowed-host", "engine", "--allowed-host", "*.example.")
    assert said.allowed_host == ("engine.example", "engine", "*.example")
    config = tmp_path / "daemon.toml"
    config.write_text('allowed-host = ["a.example", "b.example"]')
    assert read("--config", str(config)).allowed_host == ("a.example", "b.example")
    assert read("--config", str(config), "--allowed-host", "c.example").allowed_host == ("c.example",)
    assert read().allowed_host == ()


@pytest.mark.parametrize("name", ["", "*", "*.", ".", "a..b", "engine:2376", "http://engine", "a b", "a.*", "[::1]"])
def test_what_is_no_name_of_a_host_is_refused(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert "--allowed-host" in refused(capsys, "--allowed-host", name)


def test_seconds_may_be_a_fraction() -> None:
    assert read("--idle-timeout", "0.25").idle_timeout == 0.25


def test_a_halt_waits_as_long_as_the_idle_window_or_a_second_or_as_long_as_said() -> None:
    assert read("--idle-timeout", "7").drain_limit == 7
    assert read("--idle-timeout", "0").drain_limit == 1
    assert read("--idle-timeout", "7", "--drain-timeout", "30").drain_limit == 30
    assert read("--idle-timeout", "7", "--drain-timeout", "0").drain_limit == 0


def test_tls_is_needed_only_for_a_tls_endpoint() -> None:
    assert not read("--listen", "tcp:1").needs_tls
    assert read("--listen", "ssl:1:privateKey=/k").listen == (TlsEndpoint(1, Path("/k"), Path("/k")),)
    assert read("--listen", "ssl:1:privateKey=/k").needs_tls


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--idle-timeout", "-1"), "--idle-timeout"),
        (("--idle-timeout", "nan"), "--idle-timeout"),
        (("--idle-timeout", "inf"), "--idle-timeout"),
        (("--drain-timeout", "soon"), "--drain-timeout"),
        (("--listen", "fd:3"), "kind"),
        (("--log-level", "loud"), "error, warning, info, debug, trace"),
        (("--root", ""), "--root"),
        (("--pprof", "127.0.0.1:6060"), "--pprof"),
        (("--idle", "1"), "--idle"),  # an abbreviation today is another option tomorrow
        (("surplus",), "surplus"),
    ],
)
def test_a_bad_option_is_refused_by_name(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, *arguments)


def test_a_relative_path_is_of_the_directory_that_we_were_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read("--root", "r").root == tmp_path / "r"


def test_the_files_keys_are_the_options_names_and_the_command_line_beats_it(tmp_path: Path) -> None:
    config = tmp_path / "daemon.toml"
    config.write_text('root = "/r"\nidle-timeout = 2.5\nlisten = ["unix:/a", "unix:/b"]\nlog-level = "debug"\n')
    options = read("--config", str(config), "--log-level", "error", "--listen", "unix:/c")
    assert (options.root, options.idle_timeout, options.log_level) == (Path("/r"), 2.5, "error")
    assert options.listen == (UnixEndpoint(Path("/c")),)
    assert len(read("--config", str(config)).listen) == 2


def test_one_endpoint_needs_no_list(tmp_path: Path) -> None:
    config = tmp_path / "daemon.toml"
    config.write_text('listen = "unix:/a"')
    assert read("--config", str(config)).listen == (UnixEndpoint(Path("/a")),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("idle_timeout = 1", "idle_timeout"),
        ('config = "/x"', "config"),
        ("idle-timeout = true", "idle-timeout"),
        ("idle-timeout = -3", "idle-timeout"),
        ('idle-timeout = ["1", "2"]', "idle-timeout"),
        ("[root]\nx = 1", "root"),
        ("root = ", "at end of document"),
        ('pprof = "127.0.0.1:1"', "pprof"),
    ],
)
def test_a_bad_file_is_refused_by_naming_file_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    config = tmp_path / "daemon.toml"
    config.write_text(text)
    message = refused(capsys, "--config", str(config))
    assert said in message
    assert str(config) in message


def test_a_file_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "/nowhere.toml" in refused(capsys, "--config", "/nowhere.toml")

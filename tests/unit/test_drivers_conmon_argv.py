"""conmon's command lines."""

from __future__ import annotations

from pathlib import Path

from apiserver.drivers.conmon.argv import CreateOptions, ExecOptions, create_argv, exec_argv

COMMON = {
    "id": "c" * 64,
    "name": "web",
    "runtime": Path("/usr/sbin/runc"),
    "runtime_root": Path("/run/a/runc"),
    "directory": Path("/run/a/b"),
    "exit_dir": Path("/run/a/exits"),
    "persist_dir": Path("/run/a/persist"),
}


def create(**options: object) -> list[str]:
    return create_argv("/usr/bin/conmon", CreateOptions(**{**COMMON, **options}))  # type: ignore[arg-type]


def exec_(**options: object) -> list[str]:
    return exec_argv(
        "conmon",
        ExecOptions(**{**COMMON, "exec_id": "e" * 64, "process_file": Path("/p.json"), **options}),  # type: ignore[arg-type]
    )


def after(argv: list[str], option: str) -> str:
    return argv[argv.index(option) + 1]


def test_a_container_is_named_by_its_id_and_watched_in_its_bundle() -> None:
    argv = create()
    assert argv[0] == "/usr/bin/conmon"
    assert (after(argv, "-c"), after(argv, "-u"), after(argv, "-n")) == ("c" * 64, "c" * 64, "web")
    assert (after(argv, "-b"), after(argv, "-p")) == ("/run/a/b", "/run/a/b/pidfile")
    assert "--full-attach" in argv


def test_the_runtime_gets_its_own_root_and_logs_in_json() -> None:
    arguments = [word.removeprefix("--runtime-arg=") for word in create() if word.startswith("--runtime-arg=")]
    assert arguments == ["--root", "/run/a/runc", "--log-format=json", "--log", "/run/a/b/oci-log"]


def test_a_terminal_excludes_a_stdin_pipe() -> None:
    argv = create(terminal=True, stdin=True)
    assert "-t" in argv
    assert "-i" not in argv
    assert "-i" in create(stdin=True)
    assert "-i" not in create()


def test_stdin_stays_open_only_where_asked() -> None:
    assert "--leave-stdin-open" in create(stdin=True, leave_stdin_open=True)
    assert "--leave-stdin-open" not in create(stdin=True)


def test_a_log_without_a_limit_gets_none() -> None:
    assert after(create(log="k8s-file:/l", log_size_max=20), "--log-size-max") == "20"
    assert "--log-size-max" not in create(log="k8s-file:/l", log_size_max=-1)


def test_conmon_is_told_of_a_time_out_where_there_is_one() -> None:
    assert after(create(timeout=3), "--timeout") == "3"
    assert "--timeout" not in create(timeout=0)
    assert "--log-size-max" not in create(log="k8s-file:/l")
    assert after(create(), "-l") == "none"


def test_arguments_of_the_exit_command_are_taken_as_they_are() -> None:
    argv = create(exit_command=("/x/exited", "--odd", "a b"))
    assert argv[-4:] == ["--exit-command", "/x/exited", "--exit-command-arg=--odd", "--exit-command-arg=a b"]


def test_an_exec_session_has_an_id_of_its_own_and_logs_nothing() -> None:
    argv = exec_()
    assert (after(argv, "-c"), after(argv, "-u")) == ("c" * 64, "e" * 64)
    assert (after(argv, "-l"), after(argv, "--exec-process-spec")) == ("none", "/p.json")
    assert "--exec-attach" in argv


def test_a_detached_exec_session_has_no_attach_socket() -> None:
    assert "--exec-attach" not in exec_(attach=False)

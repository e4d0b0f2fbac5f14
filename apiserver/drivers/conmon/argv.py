"""conmon's command lines."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Monitored(Struct, frozen=True):
    """What `create` and `exec` have in common.

    Attributes:
        runtime: absolute path of the OCI runtime.
        runtime_root: its `--root`; what created a container must end it, so it is kept with the container.
        directory: holds `pidfile`, `conmon.pid`, the socket `attach`, the fifo `ctl`, `oci-log`, `conmon.log`; for a
            container its bundle (with `config.json`), for an exec a directory of its own. Must exist.
        exit_dir: gets a file named by the container's id, with the exit code. Must exist.
        persist_dir: gets `exit`, and `oom` when it was an OOM kill. Must exist.
        exit_command: run once after the end, and also after a failed create; its argv, absolute path first.
    """

    id: str
    name: str
    runtime: Path
    runtime_root: Path
    directory: Path
    exit_dir: Path
    persist_dir: Path
    terminal: bool = False
    stdin: bool = False
    leave_stdin_open: bool = False
    exit_command: tuple[str, ...] = ()
    systemd_cgroup: bool = False

    @property
    def pid_file(self) -> Path:
        return self.directory / "pidfile"

    @property
    def conmon_pid_file(self) -> Path:
        return self.directory / "conmon.pid"

    @property
    def oci_log(self) -> Path:
        """The runtime's errors, a sequence of JSON values."""
        return self.directory / "oci-log"

    @property
    def conmon_log(self) -> Path:
        """conmon's own stderr."""
        return self.directory / "conmon.log"

    @property
    def attach_socket(self) -> Path:
        return self.directory / "attach"

    @property
    def control_fifo(self) -> Path:
        return self.directory / "ctl"


class CreateOptions(Monitored, frozen=True, kw_only=True):
    """A container to create.

    Attributes:
        log: `k8s-file:PATH`, `journald` or `none`.
        log_size_max: bytes, at which the log file is replaced by a new one; None or -1 for never.
        timeout: seconds from now on after which conmon kills it, and writes -1 for its code; 0 for never.
    """

    log: str = "none"
    log_size_max: int | None = None
    timeout: int = 0


class ExecOptions(Monitored, frozen=True, kw_only=True):
    """A process to start in a running container.

    Attributes:
        exec_id: names this session to conmon.
        process_file: JSON, the OCI `process` object.
        attach: an attach socket is made, and the process waits until somebody is connected to it.
    """

    exec_id: str
    process_file: Path
    attach: bool = True


def create_argv(conmon: str, options: CreateOptions) -> list[str]:
    """The command line that creates a container."""
    argv = [*_common(conmon, options, options.id), "-l", options.log]
    if options.log_size_max is not None and options.log_size_max > 0:
        argv += ["--log-size-max", str(options.log_size_max)]
    if options.timeout:
        argv += ["--timeout", str(options.timeout)]
    return argv + _exit_command(options)


def exec_argv(conmon: str, options: ExecOptions) -> list[str]:
    """The command line that starts an exec session."""
    argv = _common(conmon, options, options.exec_id)
    argv += ["-l", "none", "-e", "--exec-process-spec", str(options.process_file)]
    if options.attach:
        argv.append("--exec-attach")
    return argv + _exit_command(options)


def _common(conmon: str, options: Monitored, uuid: str) -> list[str]:
    argv = [conmon, "--api-version", "1", "-c", options.id, "-u", uuid, "-n", options.name]
    argv += ["-r", str(options.runtime), "-b", str(options.directory), "-p", str(options.pid_file)]
    argv += ["--conmon-pidfile", str(options.conmon_pid_file), "--log-level", "warn"]
    argv += ["--exit-dir", str(options.exit_dir), "--persist-dir", str(options.persist_dir), "--full-attach"]
    for argument in ("--root", str(options.runtime_root), "--log-format=json", "--log", str(options.oci_log)):
        argv.append(f"--runtime-arg={argument}")
    # With a terminal stdin is the terminal: -i would add nothing.
    if options.terminal:
        argv.append("-t")
    elif options.stdin:
        argv.append("-i")
    if options.leave_stdin_open:
        argv.append("--leave-stdin-open")
    if options.systemd_cgroup:
        argv.append("-s")
    return argv


def _exit_command(options: Monitored) -> list[str]:
    if not options.exit_command:
        return []
    program, *arguments = options.exit_command
    return ["--exit-command", program, *(f"--exit-command-arg={argument}" for argument in arguments)]

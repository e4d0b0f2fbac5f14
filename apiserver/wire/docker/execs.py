"""Exec sessions in Docker's shapes, and the bodies of their requests."""

from __future__ import annotations

from apiserver.engine.containers.model import NOT_RUN, ExecSession
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import Body, Int64, Strings
from apiserver.wire.docker.status import UNKNOWN_EXIT


class CreateExecBody(Body):
    user: str = ""
    privileged: bool = False
    tty: bool = False
    console_size: list[Int64] | None = None
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach: bool = False
    detach_keys: str = ""
    env: Strings = None
    working_dir: str = ""
    cmd: list[str] | str | None = None

    @property
    def argv(self) -> tuple[str, ...]:
        return (self.cmd,) if isinstance(self.cmd, str) else tuple(self.cmd or ())


class StartExecBody(Body):
    detach: bool = False
    tty: bool = False
    console_size: list[Int64] | None = None


def exec_json(session: ExecSession, container_user: str) -> JsonObject:
    """`GET /exec/{id}/json`; the code is null until it has ended, 255 where nobody recorded it.

    Of a program or a directory that is not there it is 127, as since Docker 28; before, it was 126.

    Args:
        container_user: who it runs as where it was not told.
    """
    program, *arguments = session.argv or ("",)
    process: JsonObject = {
        "tty": session.terminal,
        "entrypoint": program,
        "arguments": arguments,
        "privileged": session.privileged,
    }
    if user := session.user or container_user:
        process["user"] = user
    code: int | None = None
    if session.finished is not None:
        code = UNKNOWN_EXIT if session.exit_code is None else session.exit_code
        if session.error and code == NOT_RUN:
            code = 126  # moby, daemon/exec.go: ContainerExecStart
    return {
        "ID": session.id,
        "Running": session.running,
        "ExitCode": code,
        "ProcessConfig": process,
        "OpenStdin": session.attach_stdin,
        "OpenStderr": session.attach_stderr,
        "OpenStdout": session.attach_stdout,
        "CanRemove": False,
        "ContainerID": session.container_id,
        "DetachKeys": session.detach_keys,
        "Pid": session.pid or 0,
    }

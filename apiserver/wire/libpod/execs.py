"""Exec sessions in Podman's shapes, and the bodies of their requests (libpod/define/container_inspect.go)."""

from __future__ import annotations

from msgspec import Struct, field

from apiserver.engine.containers.model import ExecSession
from apiserver.engine.ports.runs import code_to_podman
from apiserver.jsonvalue import JsonObject
from apiserver.wire.libpod.status import UNKNOWN_EXIT


class CreateExecBody(Struct, rename="pascal"):
    user: str = ""
    privileged: bool = False
    tty: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    env: list[str] | None = None
    working_dir: str = ""
    cmd: list[str] | None = None

    @property
    def directory(self) -> str:
        """Where it begins: crun, which Podman has it from, takes what is not absolute from `/` on."""
        return self.working_dir if self.working_dir[:1] in ("", "/") else f"/{self.working_dir}"


class StartExecBody(Struct, rename="pascal"):
    """Height and width of the terminal are `h` and `w` here; 0 says nothing."""

    detach: bool = False
    tty: bool = False
    height: int = field(default=0, name="h")
    width: int = field(default=0, name="w")

    @property
    def console_size(self) -> tuple[int, int] | None:
        return (self.height, self.width) if self.tty and (self.height or self.width) else None


class RemoveExecBody(Struct, rename="pascal"):
    force: bool = False


def exec_json(session: ExecSession) -> JsonObject:
    """`GET /libpod/exec/{id}/json`; the code is 0 until it has ended, -1 where nobody recorded it."""
    program, *arguments = session.argv
    code = 0
    if session.finished is not None:
        code = UNKNOWN_EXIT if session.exit_code is None else session.exit_code
        code = code_to_podman(code, session.error) if session.error else code
    return {
        "CanRemove": session.finished is not None,
        "ContainerID": session.container_id,
        "DetachKeys": session.detach_keys,
        "ExitCode": code,
        "ID": session.id,
        "OpenStderr": session.attach_stderr,
        "OpenStdin": session.attach_stdin,
        "OpenStdout": session.attach_stdout,
        "Running": session.running,
        "Pid": session.pid or 0,
        "ProcessConfig": {
            "arguments": arguments or None,
            "entrypoint": program,
            "privileged": session.privileged,
            "tty": session.terminal,
            "user": session.user,
        },
    }

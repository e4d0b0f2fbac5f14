"""The kinds of failure, each with its words in both flavours; no HTTP here.

`cause` is the kind's fixed lower-case text, which podman clients match; the templates `docker` and
`libpod` say the failure in the words that the clients of each flavour expect (`{subject}`, `{cause}`).
"""

from __future__ import annotations


class EngineError(Exception):
    """A kind of failure.

    Args:
        to_docker: the whole of what it is to Docker's clients, where the template does not say it.

    Attributes:
        subject: what it happened to, or the whole detail: it stands for `{subject}` in the templates.
    """

    cause = "internal error"
    docker = "{subject}"
    libpod = "{subject}: {cause}"

    def __init__(self, subject: str, to_docker: str | None = None) -> None:
        super().__init__(subject)
        self.subject = subject
        if to_docker is not None:
            self.say_to_docker(to_docker)

    def say_to_docker(self, words: str) -> None:
        """From now on this is the whole of what it is to Docker's clients."""
        self.docker = words.replace("{", "{{").replace("}", "}}")

    def __str__(self) -> str:
        return self.libpod.format(subject=self.subject, cause=self.cause)


class InvalidParameter(EngineError):
    """What the client sent is impossible; the subject names the field, and is all that Podman's clients read."""

    cause = "invalid argument"
    libpod = "{subject}"


class InvalidArgument(InvalidParameter):
    """One of those that Podman has its own ErrInvalidArg for, and says so at the end of the message."""

    libpod = "{subject}: {cause}"


class NotFound(EngineError):
    """What the client named does not exist."""

    cause = "no such object"


class NotModified(EngineError):
    """It is already as the client wants it."""

    cause = "not modified"


class Conflict(EngineError):
    """The state of something, or a name that is taken, forbids it."""

    cause = "conflict"


class Forbidden(EngineError):
    """This client may not do it."""

    cause = "forbidden"


class Unauthorized(EngineError):
    """This client must say who it is."""

    cause = "unauthorized"


class TooLarge(EngineError):
    """What the client sent is more than we take."""

    cause = "request entity too large"
    docker = libpod = "{subject}"


class NotImplementedYet(EngineError):
    """A known route or option that this version does not have."""

    cause = "not implemented"
    docker = libpod = "{subject} is not supported by this version of apiserver"


class Unavailable(EngineError):
    """The service cannot do it now (it leaves, or is not part of a swarm)."""

    cause = "unavailable"


class NotASwarmManager(Unavailable):
    """Docker's clients know these words."""

    cause = "node is not part of a swarm"
    docker = (
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to '
        "swarm and try again."
    )
    libpod = "{cause}"


class LockTimeout(Unavailable):
    """An object stayed locked for longer than a request may wait."""

    cause = "lock timed out"


class Declined(EngineError):
    """The client asked for what cannot be, and its flavour has status 500 for it; nothing is broken here."""

    cause = "declined"


class PsRefused(Declined):
    """`ps` is not given such arguments, or shows nothing with them: Docker and Podman hand on its own failure."""

    cause = "ps refuses its arguments"
    docker = libpod = "invalid ps_args: {subject}"


class HostError(EngineError):
    """The host cannot do it: a program is missing, or failed."""

    cause = "host error"


class ProgramMissing(HostError):
    cause = "program not found"
    docker = libpod = "{subject} is not installed or not executable; run `apiserver check` to see what this host needs"


class RuntimeRefused(HostError):
    """The OCI runtime, or conmon, did not do it: mostly since the client asks for what cannot be."""

    cause = "OCI runtime error"


class RuntimeFailed(RuntimeRefused):
    """As the runtime, or conmon, says it; the subject has the words that Docker's clients look for.

    Args:
        said: what it said, and no more.

    Attributes:
        exit_code: what `docker run` and an exec session end with.
    """

    docker = libpod = "OCI runtime error: {subject}"
    exit_code = 125

    def __init__(self, subject: str, said: str | None = None) -> None:
        super().__init__(subject)
        self.said = subject if said is None else said


class CommandNotFound(RuntimeFailed, InvalidParameter):
    """The command of a container or an exec session does not exist; clients look for "executable file not found"."""

    cause = "OCI runtime attempted to invoke a command that was not found"
    exit_code = 127


class CommandNotExecutable(RuntimeFailed, InvalidParameter):
    """It exists and cannot be executed; clients look for "permission denied"."""

    cause = "OCI permission denied"
    exit_code = 126


class WorkingDirUnusable(RuntimeFailed, InvalidParameter):
    """The directory that a process is to begin in is missing, no directory, or closed to its user.

    Attributes:
        exit_code: 127, or 126 where the user may not enter it.
    """

    cause = "working directory cannot be entered"

    def __init__(self, subject: str, exit_code: int) -> None:
        super().__init__(subject)
        self.exit_code = exit_code


class ContainerNotRunning(Conflict):
    """The runtime says that its process is not there, or not started."""

    cause = "container is not running"
    docker = "container {subject} is not running"
    libpod = "{subject}: {cause}"


class NoSuchContainer(NotFound):
    cause = "no such container"
    docker = "No such container: {subject}"
    libpod = 'no container with name or ID "{subject}" found: {cause}'


class NoSuchExec(NotFound):
    cause = "no such exec session"
    docker = "No such exec instance: {subject}"
    libpod = "no exec session with ID {subject} found: {cause}"


class NoSuchImage(NotFound):
    cause = "image not known"
    docker = "No such image: {subject}"
    libpod = "{subject}: {cause}"


class NoSuchVolume(NotFound):
    cause = "no such volume"
    docker = "get {subject}: {cause}"
    libpod = 'no volume with name "{subject}" found: {cause}'


class NoSuchPod(NotFound):
    cause = "no such pod"
    libpod = "no pod with name or ID {subject} found: {cause}"


class NoSuchNetwork(NotFound):
    cause = "network not found"
    docker = "network {subject} not found"
    libpod = "unable to find network with name or ID {subject}: {cause}"


class PredefinedNetwork(Forbidden):
    """One that is always there."""

    cause = "network is pre-defined"
    docker = "{subject} is a pre-defined network and cannot be removed"
    libpod = "default network {subject} cannot be removed"


class ImageRemovedUnderneath(Conflict):
    """Another tool took an image, or a layer of it, out of the store while containers need it."""

    cause = "image removed underneath"
    docker = libpod = "{subject}: image removed underneath: another tool removed it or one of its layers from the store"


class PortInUse(Conflict):
    """A port to publish is taken; the subject is Docker's whole sentence."""

    cause = "port is already allocated"
    libpod = "{subject}"


class RegistryError(EngineError):
    """A registry did not do what it was asked; the subject holds its reason."""

    cause = "registry error"
    docker = libpod = "{subject}"


class RegistryFailed(RegistryError, HostError):
    """It broke off, answered with an error of its own, or sent something else than it had announced."""


class ImageVanished(RegistryFailed):
    """What was pulled is no longer in the store, or some of it: somebody removed it meanwhile."""


class NoSuchRemoteImage(RegistryError, NotFound):
    """The registry has no such image."""

    cause = "manifest unknown"


class RegistryRefused(RegistryError, Unauthorized):
    """The registry wants other credentials, or any."""

    cause = "unauthorized: authentication required"


class RegistryForbids(RegistryError, Forbidden):
    """The registry knows the client and does not let it; or this host's configuration does not."""

    cause = "requested access to the resource is denied"


class RegistryDenies(RegistryForbids):
    """The registry says no, and does not say whether there is such an image at all."""


class RegistryUnreachable(RegistryError, HostError):
    """Nobody answers there, or nobody who is to be trusted."""

    cause = "registry unreachable"


class RegistrySilent(RegistryError, HostError):
    """The registry sent no byte for too long."""

    cause = "registry timed out"


class ShortNameUnresolved(InvalidParameter):
    """A name without a registry that may mean none, or several."""

    cause = "short-name resolution failed"
    docker = libpod = "{subject}"

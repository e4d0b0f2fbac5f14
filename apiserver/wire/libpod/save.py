"""How Podman's clients want images to be saved."""

from __future__ import annotations

from apiserver.engine.ports.images import SaveForm, SaveFormat
from apiserver.errors import InvalidParameter


def save_form(format_: str, count: int, *, compress: bool, uncompressed: bool) -> SaveForm:
    """
    Args:
        format_: empty for the default.
        count: of the references that the client gave.

    Raises:
        InvalidParameter: there is no such format, or it holds one image alone.
    """
    try:
        found = SaveFormat(format_ or "oci-archive")
    except ValueError:
        raise InvalidParameter(f"unknown format {format_!r}") from None
    if count > 1 and found is not SaveFormat.DOCKER_ARCHIVE:
        raise InvalidParameter("multi-image archives must use format of docker-archive")
    return SaveForm(found, compress, uncompressed)


def content_type(form: SaveForm) -> str:
    """As Podman names them; its own checks look at this."""
    if form.format in (SaveFormat.DOCKER_ARCHIVE, SaveFormat.OCI_ARCHIVE):
        return "application/octet; charset=us-ascii"
    return "application/x-tar"

"""Tells twistd of `twistd apiserver`; imports nothing of the service until it is asked for."""

from twisted.application.service import ServiceMaker

apiserver = ServiceMaker(
    "apiserver",
    "apiserver.tap",
    "A container engine service: the Docker Engine API and Podman's libpod API",
    "apiserver",
)

"""A container engine service: the Docker Engine API and Podman's libpod API on one socket."""

__version__ = "0.1.0"

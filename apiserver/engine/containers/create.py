"""Making a container: what the image says below what the client asks, checked, named and recorded."""

from __future__ import annotations

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options import ContainerOptions


class Create:
    async def create(
        self, name: str | None, image_name: str, options: ContainerOptions, platform: str | None = None
    ) -> Container:
        """Record a new container; its warnings are on it.

        Args:
            name: None or empty for a random one.
            platform: `OS/ARCHITECTURE[/VARIANT]` that the image must have.

        Raises:
            InvalidParameter: the message names the option.
            NoSuchImage: also where the platform is another one.
            NameTaken
        """
        raise NotImplementedError

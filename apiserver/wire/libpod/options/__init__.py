"""The options of a container in libpod's spelling, read from a SpecGenerator."""

"""conmon: the process that stays with a container, holds its stdio and writes down how it ended."""

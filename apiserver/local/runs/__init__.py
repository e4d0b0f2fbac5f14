"""How this machine runs a container: an OCI bundle, a runtime that starts it, conmon that stays with it."""

"""The OCI runtime configuration (runtime-spec 1.0.2) of a container: a module per concern of its options."""

"""A proxy between skopeo and registries that want credentials: what goes where is decided here, not by skopeo."""

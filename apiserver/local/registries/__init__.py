"""Registries by skopeo: which there are, how one is let in there, and what is asked of them."""

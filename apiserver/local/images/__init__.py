"""The images of this machine: a containers/storage overlay store of our own."""

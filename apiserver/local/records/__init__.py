"""The state on this machine's disk: one SQLite file under the root, and the root's lock."""

"""The options of a container in Docker's spelling, a module per concern, as in the engine.

Each `read_*` makes the engine's object of a create body and refuses what is impossible (400) or not built (501);
each `show_*` gives the part of an inspection back in the client's own terms.
"""

"""`python -m apiserver`: the console command, for who knows the interpreter and not its scripts."""

from __future__ import annotations

from apiserver.cli import main

if __name__ == "__main__":
    main()

"""The kernel as one more program: what is asked of it by system calls and by its file systems."""

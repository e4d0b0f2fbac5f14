"""Networks of this machine: namespaces held by files, wired by netavark."""

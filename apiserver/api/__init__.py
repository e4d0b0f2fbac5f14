"""The routes of both APIs, one module per group: decode, one call, encode; no decisions."""

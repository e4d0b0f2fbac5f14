"""Requests and answers over HTTP/1.1; nothing here knows what a container is."""

"""Containers: their life, listing and inspection, logs, attach, wait.

Several small groups, one module each; `apiserver.api.groups` lists them in a row.
"""

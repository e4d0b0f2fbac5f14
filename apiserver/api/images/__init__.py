"""Images: load, import, pull, push, build, list, inspect, tag, remove.

Several small groups, one module each; `apiserver.api.groups` lists them in a row.
"""

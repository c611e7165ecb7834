"""The documents in `infra-docs/` that are generated from the code, one module each; `python -m documents` (`make docs`) writes them.

Each module has `PATH`, the file, and `render()`, its text. A test fails if a file is out of date.
"""

"""The documents of `infra-docs/` that are made from the code, one module each; `python -m documents` (`make docs`) writes them.

Each has `PATH`, the file it makes, and `render()`, its whole text. A test fails when a file lags.
"""

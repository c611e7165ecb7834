"""Read-only checks for what would stop a launch, before the first write: `python -m preflight --stack prod`.

They read the same settings and credentials as `up`, and query the vendors, but create and change nothing. The program does not import
this package.
"""

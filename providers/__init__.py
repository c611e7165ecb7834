"""Pulumi dynamic providers for Fly.io and App Store Connect.

`resource.py` is the only adapter between `pulumi.dynamic` and a typed lifecycle, `http.py` the only HTTP client; `fly/`, `appstore/`,
`checks/` and `local/` have one file per resource. This package knows neither what is being launched, nor that rehearsals exist.

A provider class's dotted path is stored in every stack's state: moving or renaming one breaks old stacks.
"""

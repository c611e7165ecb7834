"""Pulumi dynamic providers for Fly.io and App Store Connect.

`resource.py` is the one adapter between `pulumi.dynamic` and a typed lifecycle, `http.py` the one HTTP policy; `fly/`,
`appstore/` and `checks/` hold one file a resource. Nothing in here knows what is being launched, or that a rehearsal exists.

A provider class's dotted path is stored in every stack's state: moving or renaming one breaks old stacks.
"""

"""Fly.io as Pulumi resources: one file a resource, named as Fly names the object.

    client.py            the Machines API (api.machines.dev) and the web API (api.fly.io): token, pace, errors with remedies
    appconfig            fly.toml, read with line numbers and rendered as `fly deploy` renders it
    machine_config.py    when two machine configs mean the same, and in which fields they differ

Facts about Fly's behaviour are cited at the line that relies on them.
"""

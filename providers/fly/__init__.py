"""Fly.io as Pulumi resources: one module per resource, named as Fly names the object.

api/            what talks to the Machines API (api.machines.dev), the web API (api.fly.io) and registries of images
appconfig/      fly.toml, read with line numbers and rendered as `fly deploy` renders it
safe_update/    one update of a running machine: compare configs, update, verify, roll back
lost.py         what a person has declared lost
silence.py      no alerts during an update
provider.py     the base class of the resources
"""

from providers import lazy

__getattr__ = lazy.submodules(__name__)

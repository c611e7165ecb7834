"""Fly.io as Pulumi resources: one module per resource, named as Fly names the object.

api/            what talks to the Machines API (api.machines.dev) and the web API (api.fly.io)
appconfig/      fly.toml, read with line numbers and rendered as `fly deploy` renders it
safe_update/    one update of a running machine: compare configs, update, verify, roll back
adoption.py     the id of an object that was made by hand
provider.py     the base class of the resources
"""

from providers import lazy

__getattr__ = lazy.submodules(__name__)

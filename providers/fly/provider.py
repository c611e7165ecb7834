"""The base classes of the Fly resources."""

from providers.fly.api import client
from providers.resource import ArgsT, Gate, Provider, StateT


class FlyProvider(Provider[ArgsT, StateT]):
    """A provider with a client of Fly's APIs."""

    @property
    def fly(self) -> "client.Fly":
        """The client, with the current endpoints and token."""
        return client.Fly(self.config)


class FlyGate(Gate[ArgsT, StateT], FlyProvider[ArgsT, StateT]):
    """A gate that looks at objects at Fly."""

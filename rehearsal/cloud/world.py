"""The composition root of the doubles: makes every service and connects them."""

from pathlib import Path

from rehearsal.cloud.appstore.account import account
from rehearsal.cloud.appstore.api import AppStoreApi
from rehearsal.cloud.appstore.storage import Storage
from rehearsal.cloud.betterstack import BetterStackApi
from rehearsal.cloud.bucket import Bucket
from rehearsal.cloud.clock import Clock, Delays
from rehearsal.cloud.context import Context
from rehearsal.cloud.control import Control
from rehearsal.cloud.fly.api import OUR_ORG
from rehearsal.cloud.fly.loopback import Loopback
from rehearsal.cloud.fly.machine_life import Machines
from rehearsal.cloud.fly.machines_api import MachinesApi
from rehearsal.cloud.fly.platform import Platform
from rehearsal.cloud.fly.proxy import Proxy
from rehearsal.cloud.fly.registry import Registry
from rehearsal.cloud.service import Service

IMAGE_APP = "solserver"
"""The app whose repository our organisation pushes its images to. It has been there from the beginning."""


class World(Context):
    """All doubles over one context. `services` maps a name (`fly`, `appstore`, …) to its WSGI application, in port order.

    A service gets the context only, typed as such, and any other part that it needs as an argument.
    """

    def __init__(self, folder: Path | None = None, clock: Clock | None = None, delays: Delays | None = None) -> None:
        super().__init__(folder, clock, delays)
        loopback = Loopback(self)
        self.machines = Machines(self, loopback)
        self.records = account(self)
        machines_api = MachinesApi(self, self.machines)
        if not self.store.get("fly_app", IMAGE_APP):
            machines_api.make_app(IMAGE_APP, OUR_ORG, for_images=True)
        platform, proxy = Platform(self, self.machines), Proxy(self, self.machines, machines_api)
        loopback.connect(platform=platform, edge=proxy)
        services: list[Service] = [
            machines_api,
            platform,
            Registry(self),
            proxy,
            AppStoreApi(self, self.records),
            Storage(self),
            Control(self, machines_api, self.records),
            Bucket(self),
            BetterStackApi(self),
        ]
        self.services = {service.name: service for service in services}

    def close(self) -> None:
        """End the processes of the machines and close the store. State in `folder` is kept."""
        self.machines.close()
        super().close()

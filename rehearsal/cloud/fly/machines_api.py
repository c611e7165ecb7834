"""The Machines API (api.machines.dev): one service made of its parts."""

from typing import ClassVar

from rehearsal.cloud.fly.apps import Apps
from rehearsal.cloud.fly.certificates import Certificates
from rehearsal.cloud.fly.executions import Executions
from rehearsal.cloud.fly.ip_addresses import IpAddresses
from rehearsal.cloud.fly.postgres import Postgres
from rehearsal.cloud.fly.regions import Regions
from rehearsal.cloud.fly.secrets import Secrets
from rehearsal.cloud.fly.tokens import Tokens
from rehearsal.cloud.fly.volumes import Volumes


class MachinesApi(Apps, Certificates, IpAddresses, Postgres, Regions, Secrets, Tokens, Volumes, Executions):
    """Apps, certificates, addresses, Managed Postgres, regions, secrets, tokens, volumes and machines."""

    name: ClassVar[str] = "fly"

"""`empty:count` dynamic resources without inputs."""

import pulumi
from nothing import Nothing

for number in range(pulumi.Config().require_int("count")):
    Nothing(f"nothing-{number}")

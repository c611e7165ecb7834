"""`empty:count` dynamic resources without inputs and without a thought."""

import pulumi
from nothing import Nothing

for number in range(pulumi.Config().require_int("count")):
    Nothing(f"nothing-{number}")

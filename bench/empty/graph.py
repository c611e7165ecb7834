"""Declares a graph of empty resources, which `bench/floors.py` takes from a launch."""

import json
from pathlib import Path

import pulumi
import pulumi_command
import pulumi_random
from nothing import Nothing

CLASSES = {
    "dynamic": Nothing,
    "component": lambda name, opts: pulumi.ComponentResource("empty:index:Component", name, None, opts),
    "random:index/randomString:RandomString": lambda name, opts: pulumi_random.RandomString(name, length=8, opts=opts),
    "random:index/randomPassword:RandomPassword": lambda name, opts: pulumi_random.RandomPassword(
        name, length=32, opts=opts
    ),
    "command:local:Command": lambda name, opts: pulumi_command.local.Command(name, create="true", opts=opts),
}


def declare(file: Path) -> None:
    made: dict[str, pulumi.Resource] = {}
    for node in json.loads(file.read_text(encoding="utf-8")):
        opts = pulumi.ResourceOptions(
            parent=made.get(node["parent"]), depends_on=[made[urn] for urn in node["dependencies"]]
        )
        made[node["urn"]] = CLASSES[node["type"]](node["name"], opts)

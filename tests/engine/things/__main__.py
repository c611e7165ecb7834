"""Declares one resource of each kind; `things:plan` varies them: omitted, renamed, protected, retained, ignored changes, and the
arguments of the command."""

import asyncio
import os
import signal

signal.signal(signal.SIGINT, lambda *_: os._exit(32))

import pulumi
import pulumi_command as command
import pulumi_random as random
from thing import Thing

config = pulumi.Config()
plan = config.get_object("plan") or {}
colour, shape = config.require("colour"), config.require("shape")


class Box(pulumi.ComponentResource):
    def __init__(self, name: str, colour: pulumi.Input[str]) -> None:
        super().__init__("things:Box", name)
        inner = pulumi.ResourceOptions(parent=self)
        self.lid = Thing(f"{name}-lid", colour=colour, opts=inner)
        self.body = Thing(f"{name}-body", colour=self.lid.colour, opts=inner)
        self.register_outputs({"lid": self.lid.serial})


first = Thing(
    "first",
    colour=colour,
    shape=shape,
    secret=config.require_secret("password"),
    alone=plan.get("alone", False),
    opts=pulumi.ResourceOptions(
        protect=plan.get("protect", False),
        retain_on_delete=plan.get("retain", False),
        ignore_changes=plan.get("ignore"),
    ),
)
box = Box("box", colour)
if "second" not in plan.get("without", []):
    Thing(
        plan.get("second", "second"),
        colour=first.serial.apply(lambda serial: serial.split("-")[0].lower()),
        shape=first.serial if plan.get("chained") else "round",
        opts=pulumi.ResourceOptions(depends_on=[box], aliases=[pulumi.Alias(name="second")]),
    )
pet = random.RandomPet("pet", length=2)
key = random.RandomPassword("key", length=24, special=False)
said = command.local.Command(
    "said", create=pulumi.Output.concat("echo ", pet.id), triggers=[colour], **plan.get("command", {})
)

if "pause" in plan:  # Until the test ends this process.
    first.serial.apply(lambda _: asyncio.sleep(plan["pause"]))

pulumi.export("serial", first.serial)
pulumi.export("said", said.stdout)
pulumi.export("key", key.result)

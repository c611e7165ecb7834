"""Adds what `world.toml` declares to the doubles: the images and users that exist before a rehearsal."""

from pathlib import Path

from werkzeug.test import Client

from project.files import bad, read_toml
from rehearsal.cloud.world import World

DECLARED = Path(__file__).with_name("world.toml")


def add_declared(world: World) -> None:
    """Add the images and users of `world.toml` that the world does not have. Raises BadProject."""
    declared = read_toml(DECLARED)
    control = Client(world.services["control"])
    pushed = {image["reference"] for image in control.get("/fly/state").get_json()["fly_image"]}
    for reference in declared.get("images", ()):
        if reference not in pushed:
            control.post("/fly/images", json={"reference": reference})
    for user in declared.get("users", ()):
        response = control.post("/appstore/users", json=user)  # changes nothing for a user who exists
        if response.status_code >= 300:
            raise bad(DECLARED, f"has a user {user} that cannot be added ({response.get_json()['error']})")

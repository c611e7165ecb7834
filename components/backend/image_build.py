"""An image that this program has built and pushed, by a command of the team's own, whenever what it is built of changes.

`solos:imageBuild` names the command and its folder. Without it the image is there already, pushed by whoever releases.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_command import local

from components.config import StackConfig

LEFT_OUT = frozenset({".git", "node_modules"})
"""Folders, at any depth, whose files do not count: what is in them comes from elsewhere."""


@dataclass(frozen=True, kw_only=True)
class ImageBuildSettings:
    command: str
    """Builds and pushes the image that IMAGE in its environment names."""
    context: str
    """The folder in which it runs, relative to the project."""
    source: str
    """SHA-256 of the folder's files."""


def read(config: StackConfig, image: str, folder: Path) -> ImageBuildSettings | None:
    """Read `solos:imageBuild`; None when it is not set. What is wrong is noted in `config`."""
    given = config.table("imageBuild", ("command", "context"))
    if not given:
        return None
    command, context = given.get("command", "").strip(), given.get("context", ".")
    if not command:
        config.refuse("imageBuild.command", "is missing: it builds the image and pushes it as $IMAGE")
    if "@" in image:
        config.refuse("image", "is named by digest, and imageBuild cannot know that beforehand: name it by tag")
    if not (folder / context).is_dir():
        config.refuse("imageBuild.context", f"{context} is no folder: name the one with the Dockerfile")
        return None
    return ImageBuildSettings(command=command, context=context, source=source_of(folder / context))


def source_of(folder: Path) -> str:
    """SHA-256 of the names, contents and executable bits of the files in `folder`."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not LEFT_OUT & set(name.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name.as_posix()}\0{path.stat().st_mode & 0o111:o}\0{content}\n".encode())
    return digest.hexdigest()


def build(name: str, settings: ImageBuildSettings, image: str, opts: pulumi.ResourceOptions) -> local.Command:
    """Runs the command when the image's name, the command or the source changes. What it prints is shown and kept encrypted."""
    return local.Command(
        name,
        create=f"{{ {settings.command}\n}} >&2",
        dir=settings.context,
        environment={"IMAGE": image, "SOURCE": settings.source},
        logging=local.Logging.STDERR,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["stdout", "stderr"])),
    )

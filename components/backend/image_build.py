"""The server's image, built and pushed by the team's own command whenever its source changes.

`solos:imageBuild` names the command and its folder. Without it, the image is built and pushed elsewhere, for example in CI.
"""

import hashlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_command import local

from components import command
from components.config import SettingText, StackConfig

EXCLUDED = frozenset({".git", "node_modules"})
"""Folders, at any depth, whose files are not source."""
LOG = "build/image.log"
"""What the command prints, relative to the project."""

NO_COMMAND = SettingText(
    "solos:imageBuild.command", "is missing", remedy="set the command that builds the image and pushes it as $IMAGE"
)
BY_DIGEST = SettingText("solos:image", "is a digest, which is not known before imageBuild has run", remedy="set a tag")
NO_CONTEXT = SettingText(
    "solos:imageBuild.context", "the folder {context} does not exist", remedy="set the folder with the Dockerfile"
)


@dataclass(frozen=True, kw_only=True)
class ImageBuildSettings:
    command: str
    """Builds and pushes the image that $IMAGE names."""
    context: str
    """The folder in which the command runs, relative to the project."""
    source: str
    """SHA-256 of the folder's files."""
    passed: tuple[str, ...]
    """Environment variables that the command gets."""


def read(config: StackConfig, image: str, folder: Path, passed: tuple[str, ...]) -> ImageBuildSettings | None:
    """Read `solos:imageBuild`; None when it is not set. Problems are added to `config`."""
    given = config.table("imageBuild", ("command", "context"))
    if not given:
        return None
    script, context = given.get("command", "").strip(), given.get("context", ".")
    if not script:
        config.refuse(NO_COMMAND())
    if "@" in image:
        config.refuse(BY_DIGEST())
    if not (folder / context).is_dir():
        config.refuse(NO_CONTEXT(context=context))
        return None
    return ImageBuildSettings(command=script, context=context, source=source_of(folder / context), passed=passed)


def source_of(folder: Path) -> str:
    """SHA-256 of the names, contents and executable bits of the files in `folder`, except for logs."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.suffix != ".log" and not EXCLUDED & set(name.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name.as_posix()}\0{path.stat().st_mode & 0o111:o}\0{content}\n".encode())
    return digest.hexdigest()


def build(name: str, settings: ImageBuildSettings, image: str, opts: pulumi.ResourceOptions) -> local.Command:
    """Runs the command when the image's name, the command or the source changes. Its output is in the file LOG."""
    log = shlex.quote(os.path.relpath(LOG, settings.context))
    return local.Command(
        name,
        create=command.logged(settings.command, log),
        dir=settings.context,
        **command.options(settings.passed, {"IMAGE": image, "SOURCE": settings.source}),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["stdout", "stderr"])),
    )

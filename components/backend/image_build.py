"""The server's image, built and pushed by the team's own command whenever its source changes.

`solos:imageBuild` names the command and its folder. Without it, the image is built and pushed elsewhere, for example in CI.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_command import local

from components.config import SettingText, StackConfig

EXCLUDED = frozenset({".git", "node_modules"})
"""Folders, at any depth, whose files are not source."""

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


def read(config: StackConfig, image: str, folder: Path) -> ImageBuildSettings | None:
    """Read `solos:imageBuild`; None when it is not set. Problems are added to `config`."""
    given = config.table("imageBuild", ("command", "context"))
    if not given:
        return None
    command, context = given.get("command", "").strip(), given.get("context", ".")
    if not command:
        config.refuse(NO_COMMAND())
    if "@" in image:
        config.refuse(BY_DIGEST())
    if not (folder / context).is_dir():
        config.refuse(NO_CONTEXT(context=context))
        return None
    return ImageBuildSettings(command=command, context=context, source=source_of(folder / context))


def source_of(folder: Path) -> str:
    """SHA-256 of the names, contents and executable bits of the files in `folder`."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not EXCLUDED & set(name.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name.as_posix()}\0{path.stat().st_mode & 0o111:o}\0{content}\n".encode())
    return digest.hexdigest()


def build(name: str, settings: ImageBuildSettings, image: str, opts: pulumi.ResourceOptions) -> local.Command:
    """Runs the command when the image's name, the command or the source changes. Its output is shown, and encrypted in state."""
    return local.Command(
        name,
        create=f"{{ {settings.command}\n}} >&2",
        dir=settings.context,
        environment={"IMAGE": image, "SOURCE": settings.source},
        logging=local.Logging.STDERR,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["stdout", "stderr"])),
    )

"""The server's image, built and pushed by the team's own command whenever its source changes.

`imageBuild` names the command and its folder. Without it, the image is built and pushed elsewhere, for example in CI.
"""

import hashlib
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec
import pulumi
from pulumi_command import local

from components import command
from components.config import SettingText, StackConfig

EXCLUDED = frozenset({".git", ".venv", "node_modules"})
"""Folders, at any depth, whose files are not source."""
LOG = "build/image.log"
"""What the command prints, relative to the project."""

NO_COMMAND = SettingText(
    "imageBuild.command", "is missing", remedy="set the command that builds the image and pushes it as $IMAGE"
)
BY_DIGEST = SettingText("image", "is a digest, which is not known before imageBuild has run", remedy="set a tag")
NO_CONTEXT = SettingText(
    "imageBuild.context", "the folder {context} does not exist", remedy="set the folder with the Dockerfile"
)
UNREADABLE_CONTEXT = SettingText("imageBuild.context", "the folder {context} cannot be read: {reason}")
WHOLE_DISK = SettingText(
    "imageBuild.context", "{context} is not the folder of an image", remedy="set the folder with the Dockerfile"
)


class ImageBuildSettings(msgspec.Struct, frozen=True, kw_only=True):
    command: str
    """Builds and pushes the image that $IMAGE names."""
    context: str
    """The folder in which the command runs, relative to the project."""
    source: str
    """SHA-256 of the folder's files."""
    passed: tuple[str, ...]
    """Environment variables that the command gets."""


def read(config: StackConfig, image: str, folder: Path, passed: tuple[str, ...]) -> ImageBuildSettings | None:
    """Read `imageBuild`; None when it is not set. Problems are added to `config`."""
    given = config.table("imageBuild", ("command", "context"))
    if not given:
        return None
    script, context = given.get("command", "").strip(), given.get("context", ".")
    if not script:
        config.refuse(NO_COMMAND())
    if "@" in image:
        config.refuse(BY_DIGEST())
    place = folder / context
    if config.is_misspelt("imageBuild.context", context) or not _is_folder(place):
        config.refuse(NO_CONTEXT(context=context))
        return None
    if place.resolve() in (Path("/"), Path.home()):
        config.refuse(WHOLE_DISK(context=context))
        return None
    try:
        source = source_of(place)
    except OSError as error:
        config.refuse(UNREADABLE_CONTEXT(context=context, reason=error.strerror))
        return None
    return ImageBuildSettings(command=script, context=context, source=source, passed=passed)


def _is_folder(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError:  # for example, a name that is too long
        return False


def source_of(folder: Path) -> str:
    """SHA-256 of the names, contents and executable bits of the files in `folder`, except for logs and what .dockerignore excludes.
    Links are followed."""
    ignored = DockerIgnore.of(folder)
    digest = hashlib.sha256()
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        if path.suffix != ".log" and not ignored.excludes(name):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name}\0{path.stat().st_mode & 0o111:o}\0{content}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """The files below `folder`, also behind links; a folder that is reached a second time is left out."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = sorted(
            name for name in folders if name not in EXCLUDED and os.path.realpath(Path(place, name)) not in seen
        )
        yield from (path for name in names if (path := Path(place, name)).is_file())


class DockerIgnore(msgspec.Struct, frozen=True):
    """The patterns of a .dockerignore file, each with whether it excludes; the last that matches counts
    (https://docs.docker.com/build/concepts/context/#dockerignore-files)."""

    patterns: Sequence[tuple[re.Pattern[str], bool]] = ()

    @classmethod
    def of(cls, folder: Path) -> Self:
        file = folder / ".dockerignore"
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
        words = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        return cls([(_pattern(word.removeprefix("!")), not word.startswith("!")) for word in words])

    def excludes(self, name: str) -> bool:
        """Whether a file is not part of the build's context; `name` is relative to it. Docker needs the file itself, too."""
        excluded = False
        for pattern, excludes in self.patterns if name != ".dockerignore" else ():
            if pattern.match(name):
                excluded = excludes
        return excluded


def _pattern(word: str) -> re.Pattern[str]:
    """A pattern matches a file, and everything below a folder; `**` crosses folders, `*` and `?` do not."""
    translated = ""
    for part in re.findall(r"\*\*/?|\*|\?|[^*?]+", word.strip().strip("/")):
        translated += {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}.get(part) or re.escape(part)
    return re.compile(f"{translated}(?:/.*)?\\Z")


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

"""`python -m preflight.next_build --stack NAME`: asks Apple which build number is free, and writes it to the stack's file.

The file is reviewed like any change, and the preview shows the number. It changes nothing as long as the configured number is free.
"""

import argparse
import re
import sys
from pathlib import Path

from preflight.finding import Subject, examine
from preflight.stack import read as read_stack
from project.config import stack_file
from providers.appstore import build_numbers
from providers.appstore.api.client import AppStore
from providers.appstore.api.objects import App
from providers.appstore.ipa import versions
from providers.errors import ErrorText, ProviderError

FIRST = "1"
"""For a version without builds, where none is configured."""
NO_VERSION = ErrorText("`version` is not a version, so no build number can be found", remedy="fix `version`")
NO_LINE = ErrorText("{file} has no line `{project}:build`", remedy='add `{project}:build: "{number}"`')


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m preflight.next_build", description=__doc__)
    parser.add_argument("--stack", "-s", required=True)
    parser.add_argument("--config-file", type=Path, help="instead of Pulumi.<stack>.yaml")
    options = parser.parse_args(arguments)
    try:
        subject = examine(read_stack(Path.cwd(), options.stack, options.config_file))
        number = find(subject)
        if number == subject.settings.release.build:
            print(f"build {number} of {subject.settings.release.version} is free")
            return 0
        file = stack_file(Path.cwd(), options.stack, options.config_file)
        write(file, subject.stack.project, number)
    except ProviderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    built = "" if subject.settings.ios.is_archived else "; build the IPA with it"
    print(f"{subject.stack.project}:build is {number} in {file.name}{built}")
    return 0


def find(subject: Subject) -> str:
    """The configured number if it is free, otherwise the next one. Raises ProviderError."""
    release, ios = subject.settings.release, subject.settings.ios
    if not versions.is_number(release.version):
        raise NO_VERSION()
    store = AppStore(subject.config)
    listed = store.list_all(App, doing=f"look up the app of {ios.bundle_id}", query={"filter[bundleId]": ios.bundle_id})
    apps = [app for app in listed if app.bundle_id == ios.bundle_id]
    taken = build_numbers.taken(store, apps[0].id, release.version) if apps else []
    if not versions.is_build(release.build):
        return versions.next_free("0", taken) if taken else FIRST
    used = subject.is_uploaded or any(versions.ordering(number) >= versions.ordering(release.build) for number in taken)
    return versions.next_free(release.build, taken) if used else release.build


def write(file: Path, project: str, number: str) -> None:
    """Set `build` in the file of a stack of `project`, and leave the other lines as they are. Raises ProviderError."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    changed, count = re.subn(rf"(?m)^(\s*{re.escape(project)}:build:).*$", rf'\1 "{number}"', text)
    if not count:
        raise NO_LINE(file=file.name, project=project, number=number)
    file.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

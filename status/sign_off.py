"""`python -m status.sign_off --stack NAME FEATURE…`: record in the stack file what a tester has tried.

The tester is `--as EMAIL`, otherwise the `user.email` of git. What is written is checked as a preview checks it; nothing is written if
it would be refused, or is there already. Sign-offs of another build or image do not count, so the first one of a release replaces them.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from msgspec.structs import asdict

from components.launch.smoke_test import FAILED, OF, PASSED, SmokeTest
from components.settings import BadSettings
from components.settings import read as read_settings
from project.config import ProjectStack, read_without_secrets, stack_file
from project.files import BadProject
from project.stack_text import replace_file, set_key
from report.source import rehearsed_file

KEY = "signOffs"


class Refused(Exception):
    """The sign-off cannot be written; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m status.sign_off", description=__doc__)
    parser.add_argument("features", nargs="+", metavar="FEATURE", help="keys of infra-docs/smoke-test.toml")
    parser.add_argument("--stack", "-s", required=True)
    parser.add_argument("--config-file", type=Path, help="instead of Pulumi.<stack>.yaml")
    parser.add_argument(
        "--as", dest="tester", default="", help="e-mail address of the tester (default: git's user.email)"
    )
    parser.add_argument(
        "--failed", default="", metavar="REASON", help="what went wrong; without it, the feature passed"
    )
    options = parser.parse_args(arguments)
    result = f"{FAILED}{options.failed}" if options.failed else PASSED
    try:
        tester, file = options.tester or _user(), options.config_file or rehearsed_file(options.stack)
        print(sign_off(options.stack, file, tester, dict.fromkeys(options.features, result)))
    except (BadProject, Refused) as error:
        print(f"sign-off: {error}", file=sys.stderr)
        return 1
    return 0


def sign_off(stack: str, config_file: Path | None, tester: str, results: Mapping[str, str]) -> str:
    """Write the results of one tester, by feature; returns what was written. Raises BadProject and Refused."""
    files = read_without_secrets(Path.cwd(), stack, config_file)
    key, file = f"{files.project}:{KEY}", stack_file(files.folder, stack, config_file)
    test = _smoke_test(files)
    known = test.counting.get(tester, {})
    if same := [feature for feature, result in results.items() if known.get(feature) == result]:
        raise Refused(f"{tester} has signed off {', '.join(same)} of {test.release} already: {known[same[0]]}")
    after = {OF: asdict(test.release), **test.counting, tester: {**known, **results}}
    signed = _smoke_test(replace(files, config={**files.config, key: json.dumps(after)}))
    replace_file(file, set_key(file.read_text(encoding="utf-8"), key, after, file))
    lines = [f"{file.name}, {key}, of {test.release}:", f"  {tester}:"]
    lines += [f"    {feature}: {result}{_was(known.get(feature))}" for feature, result in results.items()]
    if test.sign_offs and not test.counting:
        lines.append("The sign-offs of another build or image, which did not count any more, are removed.")
    left = [phrase for phrase in signed.open() if phrase.startswith(f"{tester} ")]
    return "\n".join([*lines, f"{left[0] if left else f'{tester} has tried everything'}. Commit the file."])


def _was(result: str | None) -> str:
    return f" (was: {result})" if result else ""


def _smoke_test(files: ProjectStack) -> SmokeTest:
    """The smoke test of a stack. Raises Refused if a preview would refuse its plan or its sign-offs."""
    try:
        return read_settings(files.config, files.secret_keys, files.folder, files.project).launch.smoke_test
    except BadSettings as bad:
        found = [problem for problem in bad.problems if problem.declared_key in (KEY, "smokeTest")]
        if found:
            raise Refused("; ".join(str(problem.in_project(files.project)) for problem in found)) from None
        return bad.settings.launch.smoke_test


def _user() -> str:
    """The address of the person who runs this. Raises Refused."""
    asked = subprocess.run(["git", "config", "user.email"], stdout=subprocess.PIPE, text=True, check=False)
    if not asked.stdout.strip():
        raise Refused("git has no user.email: name the tester with NAME=EMAIL")
    return asked.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())

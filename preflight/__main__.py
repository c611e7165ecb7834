"""`python -m preflight --stack NAME`: checks, without changing anything, whether `pulumi up` would succeed.

Prints a table of findings with their remedies. Exits with 1 if a finding is `blocked`.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from preflight import appstore, betterstack, computer, configuration, fly
from preflight.finding import SETTINGS, Check, Finding, Verdict, examine, run
from preflight.stack import Unreadable
from preflight.stack import read as read_stack

CHECKS: Mapping[str, Mapping[str, Check]] = {
    "This computer": {
        "Pulumi CLI": computer.cli,
        "Stack": computer.stack,
        "Disk": computer.disk,
        appstore.CLOCK: computer.clock,
        "Archive": computer.archive,
    },
    "Configuration": {
        SETTINGS: configuration.settings,
        "Secrets": configuration.secrets,
        "IPA": configuration.ipa,
        "Other stacks": configuration.other_stacks,
    },
    "Fly.io": {
        fly.ROW: fly.token,
        "Organisation": fly.organisation,
        "App name": fly.app_name,
        "Fly objects": fly.existing,
        "Region": fly.region,
        "Image": fly.image,
        "Hostname": fly.hostname,
        "Metrics token": fly.metrics_token,
    },
    "Better Stack": {"Uptime check": betterstack.token},
    "App Store Connect": {
        appstore.KEY: appstore.key,
        appstore.ROLE: appstore.role,
        appstore.AGREEMENTS: appstore.agreements,
        "Bundle ID": appstore.bundle_id,
        "App record": appstore.app_record,
        "Apple objects": appstore.existing,
        "Certificates": appstore.certificates,
        "Testers": appstore.testers,
        "Build number": appstore.build_number,
    },
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m preflight", description=__doc__)
    parser.add_argument("--stack", "-s", required=True)
    parser.add_argument("--config-file", type=Path, help="instead of Pulumi.<stack>.yaml")
    options = parser.parse_args(arguments)
    try:
        subject = examine(read_stack(Path.cwd(), options.stack, options.config_file))
    except Unreadable as error:
        print(f"blocked: the configuration of stack {options.stack} cannot be read: {error}", file=sys.stderr)
        return 1
    checks = {name: check for group in CHECKS.values() for name, check in group.items()}
    findings = run(checks, subject)
    print("\n".join(table(options.stack, findings)), flush=True)
    return int(any(finding.verdict is Verdict.BLOCKED for row in findings.values() for finding in row))


def table(stack: str, findings: Mapping[str, list[Finding]]) -> Iterator[str]:
    """The lines of the table."""
    yield f"Preflight of stack {stack}; this changes nothing"
    for group, checks in CHECKS.items():
        yield f"\n{group}"
        for name in checks:
            for number, finding in enumerate(findings[name]):
                yield f"  {finding.verdict.value:<8} {name if not number else '':<15} {finding.text}"
                if finding.remedy:
                    yield f"{'':<27}→ {finding.remedy}"
    counted = [finding.verdict for row in findings.values() for finding in row]
    blocked, warned = counted.count(Verdict.BLOCKED), counted.count(Verdict.WARNING)
    yield f"\n{counted.count(Verdict.OK)} ok, {warned} warnings, {blocked} blocked."


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a check beyond its time limit may still be running

"""The stack's configuration, fly.toml and the IPA: what the program itself refuses at preview, and what is still to come."""

from collections.abc import Iterator

from components.backend import environment
from preflight.finding import Finding, Subject, blocked, ok

IPA = "solos:ipa: "
SECRETS = ("solos:secrets", "solos:monitoringSecrets")


def settings(subject: Subject) -> Iterator[Finding]:
    problems = [each for each in subject.problems if not each.startswith((IPA, *SECRETS))]
    yield from (blocked(problem) for problem in problems)
    if not problems:
        yield ok(
            f"{subject.settings.release.title}, build {subject.settings.release.build}; config and fly.toml fit together"
        )


def secrets(subject: Subject) -> Iterator[Finding]:
    """Those that are given, and those that the stack makes."""
    problems = [each for each in subject.problems if each.startswith(SECRETS)]
    yield from (blocked(problem) for problem in problems)
    if problems:
        return
    backend = subject.settings.backend
    given = sorted(backend.given_secrets)
    made = [name for name in environment.generated() if name not in backend.given_secrets]
    yield ok(f"given: {', '.join(given) or 'none, none is needed'}; made by the stack: {', '.join(made) or 'none'}")


def ipa(subject: Subject) -> Iterator[Finding]:
    problems = [each.removeprefix(IPA) for each in subject.problems if each.startswith(IPA)]
    ios = subject.settings.ios
    for problem in problems:
        missing = not (subject.stack.folder / ios.ipa).exists()
        yield blocked(
            problem, "archive it, and put it there, or set solos:archive to the command that does" if missing else ""
        )
    if problems:
        return
    yield ok(f"{ios.ipa} is built by `up`" if ios.is_archived else f"{ios.ipa}, sha256 {ios.sha256[:16]}…")

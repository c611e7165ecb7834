"""`python -m compare`: what it prints before and after, and that it asks."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from compare import deviations, evidence, recording, side
from compare.__main__ import main
from compare.wire import Call
from harness.inprocess import asc_private_key
from providers.appstore.signing_key import fingerprint
from tests.compare.changes import Change, Changed
from tests.compare.scrubbed import suspicious

LINE = "GET /v1/platform/regions: only the double has the header fly-request-id"


def test_double_against_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fly", "--rehearse"]) == 0

    printed = capsys.readouterr().out
    assert "nothing without the mark solos-compare-" in printed
    assert "budget    600 calls, 45 minutes, at most 0.3 cents" in printed
    assert "0 differences in 11" in printed
    assert "LEFT" not in printed


@pytest.mark.parametrize(
    ("accepted", "code", "printed"),
    [
        (LINE, 0, f"known: {LINE} (step: list regions): nobody reads it"),
        ("all calls:", 1, f"{LINE} (step: list regions)"),
        ("all calls:", 1, "stale, remove it from compare/deviations.py: all calls:"),
    ],
    ids=["accepted", "another", "stale"],
)
def test_accepted_difference_is_known(
    accepted: str, code: int, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is printed with its reason, and only another one fails the command."""
    change = Change(name="regions", call="GET /v1/platform/regions", headers={"fly-request-id": None})
    monkeypatch.setitem(deviations.ACCEPTED, "fly", {accepted: "nobody reads it"})

    with side.of_double("fly") as double:
        changed = replace(double, transport=Changed(double.world, change), source="Fly.io")
        monkeypatch.setattr(side, "of_vendor", lambda vendor, given: changed)
        assert main(["fly", "--org", "sol-labs", "--yes"]) == code

    assert printed in capsys.readouterr().out.splitlines()


def test_recording_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file that can be reviewed. A double's changes no evidence."""
    page = evidence.page("fly").read_text(encoding="utf-8")
    (tmp_path / "fly.md").write_text(page, encoding="utf-8")
    monkeypatch.setattr(evidence, "VENDORS", tmp_path)
    monkeypatch.setattr(recording, "FOLDER", tmp_path / "recordings")

    main(["fly", "--rehearse", "--keep"])

    (path,) = (tmp_path / "recordings").iterdir()
    assert path.name == "fly.double.yaml"
    assert list(suspicious(path.read_text(encoding="utf-8"))) == []
    assert (tmp_path / "fly.md").read_text(encoding="utf-8") == page


@pytest.mark.parametrize("typed", ["yes", "", None])
def test_nothing_starts_without_confirmation(
    typed: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the account's name starts it. Before that, it only reads."""
    with side.of_double("fly") as double:
        monkeypatch.setattr(side, "of_vendor", lambda vendor, given: double)
        monkeypatch.setattr("builtins.input", _typing(typed))

        assert main(["fly", "--org", "sol-labs"]) == 2

        assert [app["name"] for app in double.world.store.all("fly_app")] == ["solserver"]
    assert capsys.readouterr().out.endswith("nothing was changed\n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Change(name="org", call="GET /v1/apps", status=404), "org_slug=sol-labs: HTTP 404; check ORG"),
        (Change(name="list", call="GET /v1/postgres", body=dict.clear), "HTTP 200 without a list"),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_unknown_account_is_refused(
    change: Change, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with side.of_double("fly") as double:
        changed = replace(double, transport=Changed(double.world, change))
        monkeypatch.setattr(side, "of_vendor", lambda vendor, given: changed)

        assert main(["fly", "--org", "sol-labs", "--yes"]) == 2

    assert reason in capsys.readouterr().err


def test_unknown_app_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with side.of_double("appstore") as double:
        unknown = Call(api="main", method="GET", path="/v1/apps/12")
        elsewhere = replace(double, script=replace(double.script, required=unknown))
        monkeypatch.setattr(side, "of_vendor", lambda vendor, given: elsewhere)

        assert main(["appstore", "--app", "12", "--yes"]) == 2

    assert "GET /v1/apps/12: HTTP 404; check APP" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--minutes=0", "--calls=-1", "--minutes=soon"])
def test_bad_budget_is_refused(option: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["fly", "--rehearse", option])

    assert refused.value.code == 2


def test_leftovers_are_shown_and_deleted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with side.of_double("fly") as double:
        monkeypatch.setattr(side, "of_vendor", lambda vendor, given: double)
        left = double.script.mark.new()
        double.world.services["fly"].make_app(left, "sol-labs")  # type: ignore[attr-defined]

        assert main(["fly", "--org", "sol-labs", "--clean", "--yes"]) == 0

    printed = capsys.readouterr().out
    assert f"leftover  app {left}, of an earlier run: is deleted first" in printed
    assert printed.endswith("nothing is left\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fly", "name the organisation"),
        ("fly --org sol-labs", "set FLY_API_TOKEN"),
        ("appstore", "name the app in which to make a group"),
        ("appstore --app 1", "set ASC_KEY_ID and ASC_PRIVATE_KEY"),
        ("fly --rehearse --with postgress", "WITH=postgress is unknown; Fly.io has postgres"),
        ("appstore --rehearse --calls 3", "3 calls and 45 minutes are not enough to look for leftovers"),
    ],
)
def test_what_is_missing_is_named(
    arguments: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("FLY_API_TOKEN", "ASC_KEY_ID", "ASC_PRIVATE_KEY"):
        monkeypatch.delenv(name, raising=False)

    assert main(arguments.split()) == 2
    assert message in capsys.readouterr().err


def test_key_of_a_certificate_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written before the certificate is requested, and used again: a later run recognises the certificate by it."""
    monkeypatch.setattr(side, "KEY_FILE", tmp_path / ".compare" / "key.pem")
    given = {"app": "1", "ASC_KEY_ID": "K", "ASC_PRIVATE_KEY": asc_private_key(), "extras": "certificate"}

    first, second = (side.of_vendor("appstore", given).script.values["csr"] for _ in range(2))

    assert _public_key(first) == _public_key(second)
    assert side.KEY_FILE.stat().st_mode & 0o777 == 0o600
    assert side.of_vendor("appstore", {**given, "extras": ""}).script.values["csr"]


def test_credential_from_a_file(tmp_path: Path) -> None:
    """As the providers read it; a path to nothing is one line."""
    given = {"app": "1", "ASC_KEY_ID": "K", "ASC_PRIVATE_KEY_PATH": str(tmp_path / "key.p8")}
    with pytest.raises(side.Missing, match="ASC_PRIVATE_KEY_PATH cannot be read"):
        side.of_vendor("appstore", given)

    (tmp_path / "key.p8").write_text(asc_private_key(), encoding="utf-8")
    assert side.of_vendor("appstore", given).script.account == "1"


def test_testers_need_an_address() -> None:
    given = {"app": "1", "ASC_KEY_ID": "K", "ASC_PRIVATE_KEY": asc_private_key(), "extras": "testers"}

    with pytest.raises(side.Missing, match="EMAIL=you"):
        side.of_vendor("appstore", given)


def _public_key(request: str) -> str:
    return fingerprint(x509.load_pem_x509_csr(request.encode()).public_key())


def _typing(text: str | None):  # type: ignore[no-untyped-def]
    def typed(prompt: str) -> str:
        if text is None:
            raise EOFError
        return text

    return typed

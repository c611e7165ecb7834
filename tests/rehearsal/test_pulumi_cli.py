"""`make pulumi-cli` hands the right version and place to Pulumi's installer. What that downloads cannot be tried here."""

from pathlib import Path

import pytest
from pulumi.automation import _cmd

from rehearsal import pulumi_cli

INSTALLER = """#!/bin/sh
echo "$@" > {arguments}
mkdir -p "$3/bin" && printf '#!/bin/sh\\necho v%s\\n' "$5" > "$3/bin/pulumi" && chmod +x "$3/bin/pulumi"
"""


def test_installs_the_pinned_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = pulumi_cli.VERSION.read_text().strip()
    place, arguments = tmp_path / "pulumi", tmp_path / "arguments"
    monkeypatch.setattr(pulumi_cli, "PLACE", place)
    monkeypatch.setattr(
        _cmd, "_download_to_file", lambda url, path: Path(path).write_text(INSTALLER.format(arguments=arguments))
    )

    assert pulumi_cli.main() == 0

    assert arguments.read_text().split() == ["--no-edit-path", "--install-root", str(place), "--version", version]
    assert (place / "bin/pulumi").exists()


def test_no_network_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(url: str, path: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(pulumi_cli, "PLACE", tmp_path)
    monkeypatch.setattr(_cmd, "_download_to_file", refuse)

    assert pulumi_cli.main() == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert "no route to host" in line
    assert "`make rehearse` needs no CLI" in line

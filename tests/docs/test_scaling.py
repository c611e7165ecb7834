"""infra-docs/SCALING.md refers only to metrics, alerts and files that exist, and to settings that the program accepts."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from components.backend import environment
from providers.fly import appconfig

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "infra-docs" / "SCALING.md").read_text(encoding="utf-8")
RULES = [
    rule
    for file in (ROOT / "monitoring" / "rules").glob("*.yml")
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", TEXT)))


@pytest.mark.parametrize("metric", [name for name in NAMED if re.match(r"(fly_|app:\w+:|probe_|litestream_)", name)])
def test_metrics_are_in_a_rule(metric: str) -> None:
    assert any(re.search(rf"\b{metric}\b", rule["expr"]) or rule.get("record") == metric for rule in RULES)


@pytest.mark.parametrize("alert", [name for name in NAMED if re.fullmatch(r"App\w+", name)])
def test_alerts_exist(alert: str) -> None:
    assert alert in {rule.get("alert") for rule in RULES}


@pytest.mark.parametrize("path", [name for name in NAMED if "/" in name and not name.startswith(("about/", "/"))])
def test_files_exist(path: str) -> None:
    assert (ROOT / path).exists()


def test_steps_have_trigger_and_cost() -> None:
    steps = {int(step) for step in re.findall(r"^### Step (\d)", TEXT, re.MULTILINE)}
    triggers = TEXT.partition("## When to take which step")[2].partition("\n## ")[0]
    sections = re.split(r"^### Step \d", TEXT, flags=re.MULTILINE)[1:]

    assert steps == {1, 2, 3, 4, 5, 6, 7}
    assert {int(step) for step in re.findall(r"\| .*?(\d)[^|]*\|$", triggers, re.MULTILINE)} <= steps
    assert all("Cost: " in section and "reaks first: " in section for section in sections)


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL))
def test_fly_toml_blocks_are_valid(block: str, tmp_path: Path) -> None:
    (tmp_path / "fly.toml").write_text(f'app = "solos-prod"\nprimary_region = "sjc"\n{block}')

    assert appconfig.load(tmp_path / "fly.toml").problems == ()


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_config_blocks_are_valid(block: str) -> None:
    ((key, value),) = yaml.safe_load(block).items()

    assert key == "solos:database"
    assert value["kind"] in get_args(environment.Database)

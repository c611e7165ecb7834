"""infra-docs/SCALING.md names only metrics, alerts and files that exist, and settings that the program takes."""

import re
from pathlib import Path

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


@pytest.mark.parametrize("metric", [name for name in NAMED if re.match(r"(fly_|solos:\w+:|probe_|litestream_)", name)])
def test_each_metric_is_one_that_a_rule_measures(metric: str) -> None:
    assert any(re.search(rf"\b{metric}\b", rule["expr"]) or rule.get("record") == metric for rule in RULES)


@pytest.mark.parametrize("alert", [name for name in NAMED if re.fullmatch(r"Solos\w+", name)])
def test_each_alert_is_one_that_can_fire(alert: str) -> None:
    assert alert in {rule.get("alert") for rule in RULES}


@pytest.mark.parametrize("path", [name for name in NAMED if "/" in name and not name.startswith(("about/", "/"))])
def test_each_file_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_step_is_reached_by_a_trigger_and_has_its_price() -> None:
    steps = {int(step) for step in re.findall(r"^### Step (\d)", TEXT, re.MULTILINE)}
    triggers = TEXT.partition("## When to take which step")[2].partition("\n## ")[0]
    sections = re.split(r"^### Step \d", TEXT, flags=re.MULTILINE)[1:]

    assert steps == {1, 2, 3, 4, 5, 6, 7}
    assert {int(step) for step in re.findall(r"\| .*?(\d)[^|]*\|$", triggers, re.MULTILINE)} <= steps
    assert all("Cost: " in section and "reaks first: " in section for section in sections)


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL))
def test_each_piece_of_fly_toml_is_accepted(block: str, tmp_path: Path) -> None:
    (tmp_path / "fly.toml").write_text(f'app = "solos-prod"\nprimary_region = "sjc"\n{block}')

    assert appconfig.load(tmp_path / "fly.toml").problems == ()


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_each_piece_of_config_names_a_database_that_there_is(block: str) -> None:
    ((key, value),) = yaml.safe_load(block).items()

    assert key == "solos:database"
    assert value["kind"] in {variable.only_with for variable in environment.CONTRACT}

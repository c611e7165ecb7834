"""Programs that a test needs and that a computer may lack.

`@needs("promtool")` skips a test, by the program's name, where that is not installed. `@uses("telegraf")` marks one that does
less without it. `pytest -m "needs or uses"` runs these tests alone.
"""

import shutil

import pytest

from rehearsal.cloud.fly.programs import SEARCH_PATH

BY_MONITORING_TOOLS = "`make monitoring-tools` installs it"
INSTALL = {
    "actionlint": BY_MONITORING_TOOLS,
    "amtool": BY_MONITORING_TOOLS,
    "chromium": "`apt-get install chromium`",
    "fly": "https://fly.io/docs/flyctl/install/",
    "litestream": BY_MONITORING_TOOLS,
    "nats-server": BY_MONITORING_TOOLS,
    "prometheus": BY_MONITORING_TOOLS,
    "prometheus-alertmanager": BY_MONITORING_TOOLS,
    "prometheus-blackbox-exporter": BY_MONITORING_TOOLS,
    "promtool": BY_MONITORING_TOOLS,
    "pulumi": "https://www.pulumi.com/docs/install/",
    "telegraf": BY_MONITORING_TOOLS,
}
"""How to get each program. Of others only the name is printed: every system has a package for them."""


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip a test, or one value of a parameter, where one of the programs is not installed."""
    return pytest.mark.needs(*programs)


def uses(*programs: str) -> pytest.MarkDecorator:
    """Mark a test that runs without these programs too, and proves more with them."""
    return pytest.mark.uses(*programs)


def find(program: str) -> str | None:
    """Where it is: in `.tools/bin` or on PATH."""
    return shutil.which(program, path=SEARCH_PATH)


def skip_without_programs(item: pytest.Item) -> None:
    """Skip the test if a program is absent that it needs."""
    needed = (program for mark in item.iter_markers("needs") for program in mark.args)
    absent = dict.fromkeys(program for program in needed if find(program) is None)
    if absent:
        named = ", ".join(f"{program} ({INSTALL[program]})" if program in INSTALL else program for program in absent)
        pytest.skip(f"NOT TESTED: not installed here: {named}")

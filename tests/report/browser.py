"""A page in Debian's Chromium, without a window: what a browser makes of it."""

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.needs import find

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
]
FRAME = """<!doctype html><body><iframe id="page" style="border:0;width:{width}px;height:800px" srcdoc="{page}"></iframe>
<pre id="seen"></pre><script>
page.onload = () => {{
  const inside = page.contentDocument, wide = (each) => each.getBoundingClientRect().right > {width} + 1
  seen.textContent = JSON.stringify({{
    width: inside.documentElement.scrollWidth,
    beyond: [...inside.querySelectorAll("body *")].filter(wide).map((each) => each.textContent),
    loaded: inside.defaultView.performance.getEntriesByType("resource").map((each) => each.name),
  }})
}}
</script>"""


def shown(page: str, width: int, folder: Path) -> dict[str, Any]:
    """What the page takes on a screen of that many pixels: its `width`, the texts `beyond` the edge, the addresses that it
    `loaded`, and the lines of the `console`. A phone is narrower than Chromium's window can be, so it is a frame."""
    chromium = find("chromium")
    assert chromium is not None
    file = folder / "frame.html"
    file.write_text(FRAME.format(width=width, page=html.escape(page)), encoding="utf-8")
    done = subprocess.run(
        [chromium, *QUIET, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-500:]
    seen: dict[str, Any] = json.loads(html.unescape(found[1]))
    return {**seen, "console": [line for line in done.stderr.splitlines() if ":CONSOLE" in line]}

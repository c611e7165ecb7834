"""Status lines, and the end of a provider's process."""

import contextlib
import re
import socket
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from harness.program import ROOT
from providers import engine


def test_process_ends_with_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when a connection breaks, but when nothing listens any more."""
    monkeypatch.setattr(engine, "WATCH_SECONDS", 0.01)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=engine.watch, args=(*listener.getsockname(), ended.set), daemon=True).start()
        for _ in range(3):
            connection, _ = listener.accept()
            connection.close()
        last, _ = listener.accept()
        assert not ended.is_set()
    last.close()

    assert ended.wait(10)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that reach the engine."""
    lines: list[str] = []
    monkeypatch.setattr(engine, "_current_call", lambda: (SimpleNamespace(urn="urn"), None))
    monkeypatch.setattr(engine, "_log", lambda _address, _urn, text: lines.append(text))
    monkeypatch.setattr(sys, "argv", ["provider", "127.0.0.1:1"])
    return lines


def test_same_line_is_shown_once(logged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Again after a while, with the time that is left then."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    show = engine.progress("checking health")

    for second in range(21):
        now = 100.0 + second
        show("HTTP 503", 300.0 - second)
    now += 1
    show("HTTP 200")

    assert logged == [
        "checking health: HTTP 503 (5 min left)",
        "checking health: HTTP 503 (5 min left)",
        "checking health: HTTP 503 (5 min left)",
        "checking health: HTTP 200",
    ]


def test_line_is_cleared_after_success(logged: list[str]) -> None:
    """Otherwise the engine repeats it beside the result: created, processing."""
    with engine.one_step():
        engine.progress("processing by Apple")("PROCESSING", 60.0)
    with engine.one_step():
        pass
    with contextlib.suppress(ValueError), engine.one_step():
        engine.progress("processing by Apple")("PROCESSING", 60.0)
        raise ValueError

    assert logged == ["processing by Apple: PROCESSING (60 s left)", "", "processing by Apple: PROCESSING (60 s left)"]


def test_actions_are_short() -> None:
    texts = [path.read_text() for path in (ROOT / "providers").rglob("*.py")]
    actions = {found for text in texts for found in re.findall(r'(?:action=|action: str = |progress\()"(.*?)"', text)}

    assert len(actions) > 20
    assert [action for action in actions if len(action) > engine.ACTION_LENGTH] == []

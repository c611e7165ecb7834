"""A provider's process ends when its engine does."""

import socket
import threading

import pytest

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

"""Fixtures for every test."""

from tests.inprocess import configured, settings, world

__all__ = ["configured", "settings", "world"]

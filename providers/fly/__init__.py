"""Fly.io: one file a resource, named as Fly names it."""

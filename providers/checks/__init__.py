"""Checks as resources: what was deployed answers, and its logs are calm."""

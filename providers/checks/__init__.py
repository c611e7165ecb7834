"""Checks and records as resources: each is the evidence of something that was tried and seen."""

"""Runs the whole launch on one machine: doubles of the vendors, and an engine for machines without the Pulumi CLI.

It does not import `components` or `providers`, nor do they import it: a double that shares code with its client has the same
mistakes.
"""

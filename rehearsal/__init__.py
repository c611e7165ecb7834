"""How to try the whole launch on one machine: doubles of the vendors, an engine for machines without the Pulumi CLI.

Nothing in here imports `components` or `providers`, and they import nothing from here: a double that shares code with its
client agrees with its mistakes.
"""

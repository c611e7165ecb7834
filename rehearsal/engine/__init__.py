"""A small Pulumi engine, for rehearsals and tests where the CLI is not installed."""

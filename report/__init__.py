"""The launch report: what a stack's state proves, as a checklist, an HTML page and its Markdown twin. Reads state, nothing else."""

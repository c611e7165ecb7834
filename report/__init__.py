"""The launch report: what a stack's state proves, as a checklist for the terminal, HTML and Markdown."""

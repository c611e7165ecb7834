"""Commands about a stack that call no vendor: its checklist in the terminal, sign-offs, and the files that builds are signed with."""

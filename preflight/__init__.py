"""What could stop a launch half way, looked at before the first write: `python -m preflight --stack prod`.

It reads what `up` would read, with the credentials that `up` would have, and asks the vendors; nothing is made or changed
anywhere. Nothing in the program imports this.
"""

"""The e-mail addresses of people. Pure: previews use it."""

import re


def key(email: str) -> str:
    """An address in the form in which addresses are compared."""
    return email.strip().lower()


def is_email(text: str) -> bool:
    """Whether the text has the form of an e-mail address."""
    return re.fullmatch(r"[^@\s,]+@[^@\s,]+\.[^@\s,.]+", text) is not None

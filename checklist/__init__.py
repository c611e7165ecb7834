"""The launch checklist of PR #42: each row is one entry, evaluated by a pure function over what is known of the stack.

The launch component gates the declaration on it, the report shows it, and the rehearsal waives rows of it.
"""

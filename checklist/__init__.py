"""The launch checklist of PR #42: each row is one entry, evaluated by a pure function over what is known of the stack.

The launch component requires it before a launch can be declared, the report shows it, and the rehearsal waives rows.
"""

"""What it all costs, measured on this machine: `python -m bench [NAME …]`, or `make bench` for everything.

    imports      the program's and the provider process's imports, against `import pulumi`
    previews     a preview and an `up` without changes, against as many empty dynamic resources
    calls        the API calls of a first up, an update and a no-op, against the smallest set that could do it
    testers      the calls for 1, 10 and 100 testers
    polling      the calls of an hour in which Apple processes a build, out of the hour's budget
    deploys      their time at 0 and at 100 ms a call, against the critical path; an update's gap, against a bare restart's
    uploads      an IPA's upload, against a bare parallel PUT of the same bytes, and the memory it takes

Every figure is a ratio of two things measured in the same run, in turns, because machines differ and one machine is noisy; its
median is shown with its spread. Numbers of calls are counted, not timed. No test asserts on any of them: a test only sees that
each can still be measured. What calls have to be is pinned by the tests of what makes them. Figures that were measured, and
what to think of them, are in infra-docs/BENCH.md.

The launch measured is that of the tests (`harness/program.py`), against doubles in a process of their own.
"""

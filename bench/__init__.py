"""Benchmarks, run on this machine: `python -m bench [NAME …]`, or `make bench` for all.

    imports      the imports of the program and of the provider process, compared to `import pulumi`
    previews     a preview and an `up` without changes, compared to two floors of empty resources (floors.py)
    calls        the API calls of a first `up`, an update and a no-op, compared to the minimum
    testers      the calls for 1, 10 and 100 testers
    polling      the calls in an hour in which Apple processes a build, and the hourly rate limit
    deploys      duration at 0 and 100 ms per call, compared to the critical path; downtime of an update, compared to a restart
    load         requests that fail during an update of a server without a volume, by the strategy of fly.toml
    uploads      the upload of an IPA, compared to a bare parallel PUT of the same bytes, and its memory
    ipas         a preview with an IPA of 1 GiB in the project, compared to a small one
    scale        what one more resource costs in a preview, and the calls for 1, 10 and 50 secrets
    stacks       1, 5 and 20 first deployments at once, each of its own stack, compared to one alone

Every timing is a ratio of two things that are measured alternately in the same run, because machines differ and are noisy; the
output is the median with its range. Calls are counted, not timed. Tests run those that take seconds, and do not check their results.
Results and their interpretation are in infra-docs/BENCH.md.

The launch is that of the tests (`harness/program.py`), against doubles in their own process.
"""

"""Compares the doubles with the vendors: `make compare VENDOR=fly ORG=my-org`. What it does to an account: `infra-docs/COMPARE.md`.

One script of calls runs against the vendor and against the double, and the raw answers are compared. The live service decides.

    __main__.py    the command: plan, question, two runs, differences
    script.py      what a script is made of: steps, in parts
    fly.py         the script of Fly.io
    appstore.py    the script of App Store Connect
    run.py         runs a script, and deletes everything it has made
    wire.py        sends calls: pace, budget, and no write to an object that is not ours
    mark.py        the names by which the tool recognises what it has made
    shape.py       what is kept of an answer: types and words, no values
    recording.py   one run, as a file that people can review
    diff.py        the differences of two recordings
    deviations.py  the differences that are accepted
    double.py      the double in this process, with the delays that we believe to be the vendor's
    evidence.py    the column "Evidence" in `infra-docs/vendors/`
"""

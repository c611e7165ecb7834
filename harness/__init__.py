"""Runs providers and the program against the doubles; shared by the tests and the benchmarks.

inprocess    the doubles inside this process, on a manual clock
driver       check, diff and the operations of a provider, without an engine
appstore     an app in App Store Connect with a tester group, and IPAs of it
program      the whole program on either engine, against doubles in their own process
warm         a fast start for the Python processes of tests
"""

"""Puts this directory on the path of the tests below it, which share `fakes` and `oracle`."""

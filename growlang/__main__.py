"""Runs `python -m growlang`."""

from growlang.cli import main

main()

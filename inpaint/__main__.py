"""`python -m inpaint` is the command line."""

from inpaint.cli import main

main()

"""``python -m runwell``."""

from runwell.cli.main import program

program()

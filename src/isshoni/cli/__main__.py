"""`python -m isshoni.cli`, the same as `isshoni`."""

from isshoni.cli.main import main

main()

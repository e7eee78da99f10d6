"""`python -m gateway` is the command line `rebill`."""

from gateway.cli import main

main()

"""`python -m gateway` is the command line `rebill`."""

from gateway.cli.main import main

main()

"""The command line `rebill`."""

from gateway.cli.main import main

__all__ = ["main"]

"""The command line `rebill`, one module for each larger command."""

"""The named steps of the market day's procedures, one module per procedure, by name in :mod:`.registry`."""

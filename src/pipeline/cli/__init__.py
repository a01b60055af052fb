"""The `marketday` command: what people type."""

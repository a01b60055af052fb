"""The configuration: reading, models, lint and what follows from them."""

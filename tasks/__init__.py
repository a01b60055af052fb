"""Thin, retryable input and output: one call each. What is retried, how often, and why that is harmless."""

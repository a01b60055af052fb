"""Pure values and rules. No clock, no environment, no disk, no vendor."""

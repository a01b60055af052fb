"""Every fault, by area: what it is, and the tests that provoke it."""

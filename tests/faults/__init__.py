"""What goes wrong in live trading, and the test that shows what happens then."""

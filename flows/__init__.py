"""One flow per operation of the market day: in what order, nothing else. See docs/flows/README.md."""

"""What is claimed of speed and safety, measured beside what it is compared with: ``python -m benchmarks``."""

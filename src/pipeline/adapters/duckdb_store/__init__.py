"""Results in DuckDB: a projection of the journal, and kept bars. The store itself is in ``store``."""

"""Floor 5: recordings as tables: rows made by the one reading, Parquet files of them, and SQL over these."""

"""`pysmax dataset report`: datasets compared, streamed -> figures, summary.json, coverage.csv, one page."""

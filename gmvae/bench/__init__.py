"""The benchmark: grid, data sets, runs, scores, tables and figures."""

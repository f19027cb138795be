"""Statistics of the report: choices without labels, effects, intervals."""

"""Care for a folder of results: repair, verify, trace and status."""

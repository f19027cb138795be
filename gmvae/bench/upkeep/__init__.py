"""Care for a folder of results: recovery, verify, trace and status."""

"""Progress of a grid: its status, and lines about it while it runs."""

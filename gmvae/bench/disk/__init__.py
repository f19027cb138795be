"""Files on disk: atomic writes, checksums, locks, the layout of folders, and errors."""

"""One machine, nothing to install or start: SQLite and files, safe for several processes at once."""

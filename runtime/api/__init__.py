"""The HTTP API: the process, its connections, and what its endpoints work with."""

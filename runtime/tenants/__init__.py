"""``earmark tenant``: customers, their keys and their limits."""

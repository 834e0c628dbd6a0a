"""``earmark dlq``: dead letters, for people."""

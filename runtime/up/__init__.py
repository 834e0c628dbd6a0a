"""``earmark up``: every role on one machine."""

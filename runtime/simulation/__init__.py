"""``earmark simulate``: ways to scale, tried on a trace."""

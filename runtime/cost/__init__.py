"""``earmark cost``: what jobs cost, and what they would cost elsewhere."""

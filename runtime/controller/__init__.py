"""``earmark controller``: looks at what all processes share, and says how many workers there should be."""

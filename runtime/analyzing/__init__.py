"""``earmark analyze``: what a person names, worked on here, and told as it ends."""

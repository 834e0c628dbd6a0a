"""``earmark retention``: what is kept, announced, deleted, held and archived."""

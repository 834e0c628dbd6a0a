"""``earmark validate``: whether a model may go live."""

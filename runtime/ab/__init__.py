"""``earmark ab``: experiments from the command line."""

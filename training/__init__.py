"""Committed scripts that make what the models ship with; nothing at run time imports them."""

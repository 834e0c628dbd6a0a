"""Connects: the command line and the wiring of adapters to the parts that use them."""

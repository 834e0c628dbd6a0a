"""Erasure: every place where something is known of a customer, and how it goes from there."""

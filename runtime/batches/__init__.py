"""Batches: made, fed, followed, and their results in every format."""

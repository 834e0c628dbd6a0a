"""Batches: manifests of many entries become jobs of the low lane, a page at a time."""

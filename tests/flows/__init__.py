"""Whole flows through the local mode."""

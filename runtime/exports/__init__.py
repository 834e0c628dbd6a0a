"""Analyses in the forms that other programs read: tables, JSON-LD, tags in audio files."""

"""Compares: experiments, assignment, statistics and reports."""

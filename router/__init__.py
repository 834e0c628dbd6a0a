"""Decides: priority, tenant policy and duplicates; turns uploads into jobs."""

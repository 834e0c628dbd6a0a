"""Traces: what a request, a job and its models took, sent to whoever collects spans."""

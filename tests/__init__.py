"""Tests: the specification."""

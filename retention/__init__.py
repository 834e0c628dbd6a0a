"""Forgets: policy, plan, notice, apply, erase."""

"""Webhooks: who is called when jobs and batches end, the calls that wait, and who makes them."""

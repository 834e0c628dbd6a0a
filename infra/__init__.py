"""What runs and watches Earmark elsewhere; only ``infra.grafana`` is Python to import, and none of it is installed."""

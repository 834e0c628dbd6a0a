"""What Prometheus is told: the catalogue of all metrics, and what fills and serves them."""

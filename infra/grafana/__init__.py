"""Grafana's dashboards, written from the catalogue of metrics and the views of the warehouse.

``python -m infra.grafana`` writes ``infra/grafana/dashboards``; ``docs/dashboards.md`` says how Grafana reads them.
"""

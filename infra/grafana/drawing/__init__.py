"""Pictures of the dashboards for ``docs/dashboards.md``: of what their questions were answered, not Grafana's own."""

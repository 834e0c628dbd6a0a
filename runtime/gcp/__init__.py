"""The adapters for Google Cloud: Pub/Sub, Cloud Storage, BigQuery."""

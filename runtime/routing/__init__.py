"""``earmark route``: uploads become jobs, from files, folders and buckets."""

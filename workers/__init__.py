"""Do: lease jobs, decode audio, run models over batches, settle outcomes."""

"""The statistics of experiments: pure functions of counts and sums, valid however often one looks."""

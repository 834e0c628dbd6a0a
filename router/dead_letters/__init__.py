"""Dead letters: jobs that came to no answer, kept for people to look at, replay or discard."""

"""The exit statuses of the ``earmark`` command, as its help and the README list them."""

USAGE = 2
SOME_NOT_DONE = 3
UNAVAILABLE = 4
INTERRUPTED = 130

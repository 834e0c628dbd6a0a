"""What things are: the nouns, ports, errors, wire format, settings and log every other package speaks in."""

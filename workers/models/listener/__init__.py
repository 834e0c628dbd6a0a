"""The embedded listener: small models that install from packages and run on a CPU."""

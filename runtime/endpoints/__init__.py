"""The endpoints of the API, a noun a module; ``runtime.api`` puts them together."""

"""The endpoints of the API, a noun a module; ``runtime.api.app`` puts them together."""

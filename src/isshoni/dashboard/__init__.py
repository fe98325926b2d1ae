"""The dashboard: a live view of an environment in the browser, and its API."""

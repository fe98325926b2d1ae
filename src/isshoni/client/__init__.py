"""The Python client: keeps its session through deploys, crashes and lost networks."""

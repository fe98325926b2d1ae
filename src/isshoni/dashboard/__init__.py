"""The live view of an environment in the browser, and the API behind it."""

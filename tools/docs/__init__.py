"""Build the documentation site, and check what the documents say."""

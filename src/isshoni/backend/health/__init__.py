"""Whether this process can serve a session: proven against Redis."""

"""Check against Redis that this process can serve a session."""

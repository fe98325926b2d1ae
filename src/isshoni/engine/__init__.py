"""The engine: observe, decide, act, verify, record."""

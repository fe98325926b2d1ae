"""State outside of this process: the ports, the store in Redis, and its encryption."""

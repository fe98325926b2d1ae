"""What one process is told by its environment, and what it limits."""

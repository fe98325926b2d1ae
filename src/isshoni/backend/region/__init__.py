"""Which region may write, as this process knows it, and what follows from it."""

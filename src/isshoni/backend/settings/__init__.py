"""The settings of one process, from its environment, and its limits."""

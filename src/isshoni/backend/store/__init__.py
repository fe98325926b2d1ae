"""What is kept outside of this process: the ports, and what seals content."""

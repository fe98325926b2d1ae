"""What a process counts and measures, and how it is read."""

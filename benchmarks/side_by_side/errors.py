"""What can keep the comparison from running."""


class Unavailable(Exception):
    """Something that the comparison needs is missing, or did not start."""

"""The API behind the live view."""

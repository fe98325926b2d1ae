"""Judges a candidate that has clients: statistics, and a verdict."""

"""Drawings, words and style of every report; each is one HTML file that needs nothing else."""

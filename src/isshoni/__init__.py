"""Isshoni: chat and draw together, redeployed ten times a day, unnoticed."""

__version__ = "0.1.0"

"""Isshoni: chat and draw together, redeployed without disconnecting users."""

__version__ = "0.2.0"

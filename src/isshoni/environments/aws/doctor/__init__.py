"""Checks of an environment on AWS, for `isshoni doctor --environment`."""

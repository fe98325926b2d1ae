"""Tools of the repository itself: what a developer runs, and no part of the package."""

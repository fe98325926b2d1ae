"""Count the words that CONTRIBUTING.md replaces, room by room; no room may get more of them."""

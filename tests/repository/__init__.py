"""What the repository promises about itself: docs, words, releases."""

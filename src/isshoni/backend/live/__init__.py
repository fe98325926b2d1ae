"""Sessions in use: their connections, and what is sent to them."""

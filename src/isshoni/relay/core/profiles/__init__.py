"""What the relay knows of the protocols that applications speak on top of WebSocket."""

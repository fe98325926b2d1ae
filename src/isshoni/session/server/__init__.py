"""The server's side of a session, pure: no I/O, no clock."""

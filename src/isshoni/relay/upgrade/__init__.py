"""A new relay process continues with the sockets of the one that serves (proposal 046)."""

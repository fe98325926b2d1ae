"""The session core: messages, positions, ordering rules. No I/O, no clock."""

"""The relay without I/O and without a clock: frames, messages, and the states of a move."""

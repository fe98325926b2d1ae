"""The program: start, settings in force, drain, end."""

"""The `isshoni` command: one module a verb."""

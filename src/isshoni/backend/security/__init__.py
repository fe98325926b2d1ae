"""Tokens, tickets, origins, addresses, encryption at rest."""

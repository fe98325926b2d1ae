"""The proof: synthetic users, a ledger of everything, a verdict."""

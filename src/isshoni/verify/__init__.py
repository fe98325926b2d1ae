"""Proof: synthetic users, a ledger of all they do, the SLA verdict, the report."""

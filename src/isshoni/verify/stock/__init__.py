"""Stock clients of any WebSocket application: other libraries' clients, the same ledger."""

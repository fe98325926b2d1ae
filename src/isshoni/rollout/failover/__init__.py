"""A failover from one region to another: pure, like a rollout."""

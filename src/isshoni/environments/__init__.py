"""The places a rollout can happen in: adapters of the rollout's ports."""

"""The rollout core: what a deploy is, and every decision in it. No I/O, no clock."""

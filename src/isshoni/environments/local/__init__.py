"""One machine: real Redis, real load balancer, real processes, one supervisor."""

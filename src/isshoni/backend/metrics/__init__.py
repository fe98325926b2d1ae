"""The counters and measurements of a process, and their output for Prometheus and CloudWatch."""

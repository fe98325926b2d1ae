"""Whether a candidate that people are on does well enough: statistics, and a verdict."""

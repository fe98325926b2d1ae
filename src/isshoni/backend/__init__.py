"""The platform: a FastAPI application and the process that drains before it stops."""

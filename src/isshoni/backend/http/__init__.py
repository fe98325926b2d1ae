"""Everything that is served over plain HTTP: the page, the session API, the admin API."""

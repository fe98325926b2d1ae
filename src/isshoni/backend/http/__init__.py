"""What is answered over plain HTTP: the page, the session API, the admin API."""

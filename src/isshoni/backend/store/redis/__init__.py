"""The store on Redis: keys, scripts, publications."""

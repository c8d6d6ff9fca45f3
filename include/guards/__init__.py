"""What stands in front of the web servers: who may come in, from which page, and how often a password is tried."""

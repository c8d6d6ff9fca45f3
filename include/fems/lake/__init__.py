"""The lake: object stores, every key there is, and typed reads and writes."""

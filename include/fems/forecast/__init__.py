"""The forecast as tables: hours by equipment into native intervals and days, the factory as the sum."""

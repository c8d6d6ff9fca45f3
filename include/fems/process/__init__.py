"""Processing by the definition book: decoded rows onto a grid, abnormal values out, gaps filled, hours and days."""

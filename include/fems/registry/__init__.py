"""What the plant is and by which rules its data is judged: factories, definition book, tariff, steam."""

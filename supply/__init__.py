"""What is shipped: its parts, their licences, and what is known against them."""

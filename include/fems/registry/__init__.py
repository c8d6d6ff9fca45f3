"""The registry: what people write down of their plant."""

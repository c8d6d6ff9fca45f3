"""Raw objects: bytes of any collector into typed rows, or into quarantine with a reason."""

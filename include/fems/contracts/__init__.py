"""The typed records that pass between the rooms and are stored: frozen, each with one reader and one writer."""

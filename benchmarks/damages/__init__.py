"""Damage planted in published tables: does the suite catch each kind, as severely as it should?"""

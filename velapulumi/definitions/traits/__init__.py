"""Trait types, one module each."""

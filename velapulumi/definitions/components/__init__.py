"""Component types, one module each."""

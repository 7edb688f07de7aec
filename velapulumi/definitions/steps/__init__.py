"""Workflow step types, one module each."""

"""Pieces of Services and Ingresses which several trait types share."""

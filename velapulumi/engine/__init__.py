"""The Pulumi engine: its process, its stacks and what they hold.

What only reads files (``record``, ``stacks``, ``environment``) imports no Pulumi.
"""

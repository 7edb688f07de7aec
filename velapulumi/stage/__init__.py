"""One stage of an application: what happens to each object, and the Pulumi program that does it."""

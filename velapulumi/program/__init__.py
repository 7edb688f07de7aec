"""One stage of one application as a Pulumi program."""

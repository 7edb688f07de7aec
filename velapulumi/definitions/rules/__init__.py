"""What the resource-rule policies share: which objects a rule is for, and paths of fields."""

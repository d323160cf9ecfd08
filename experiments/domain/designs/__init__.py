"""What some kinds of experiment need beyond an ordinary plan: one typed design a kind, kept as JSON beside the plan."""

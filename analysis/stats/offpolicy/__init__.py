"""What would another policy have earned? Answered from the log of the one that ran, where its choices allow it."""

"""What would another model have earned? From a log of decisions to an answer, or to a refusal in words."""

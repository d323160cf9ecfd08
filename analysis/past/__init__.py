"""Experiments that were run elsewhere: their summaries join the programme, their units never do."""

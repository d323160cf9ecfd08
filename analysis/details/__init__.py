"""What a metric's own page shows beyond the result: how units are spread, and what the effect does with their age."""

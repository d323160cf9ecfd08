"""Units that send events faster than people do: flagged with evidence, and left out of results by a project's rule."""

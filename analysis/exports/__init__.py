"""Results as files: pages for paper, and a notebook that computes them from their moments."""

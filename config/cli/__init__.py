"""The ``truelift`` command: what engineers do from a terminal or a pipeline, over the REST API alone."""

"""What a file or an option does not allow, in one line that says what to do."""


class RefusalError(ValueError):
    """The analysis cannot be done as asked. The message is one line for the person who asked."""

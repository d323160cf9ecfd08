"""What a file command cannot do as asked."""


class TransferError(Exception):
    """The file, an option or the directory does not allow it; the message is one line and says what to do."""

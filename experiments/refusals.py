"""What an action says when it cannot be done: always what is the matter and what to do instead."""


class RefusedError(Exception):
    """An action that would break something, or that no longer fits what is there; nothing was changed."""


class ChangedMeanwhileError(RefusedError):
    """Somebody else changed the same thing after it was read."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was changed by somebody else meanwhile. Look at it again, then repeat your change.")

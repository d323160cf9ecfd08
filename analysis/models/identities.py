"""Which ids belong to the same person."""

from django.db import models

from experiments.models import Project


class Link(models.Model):
    """An app said that ``alias`` (a device, or an older id) is the user ``user_id``; ``linked_at`` is the first time.

    An alias may be named by several users, as a shared device is. The earliest link counts (rollup/identities.py); the
    others are kept, because the earliest may be erased.
    """

    pk = models.CompositePrimaryKey("project_id", "alias", "user_id")
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    alias = models.TextField()
    user_id = models.TextField()
    linked_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["project", "user_id"], name="links_of_a_user")]

    def __str__(self) -> str:
        return f"{self.alias} is {self.user_id}"


class Identity(models.Model):
    """The person that an alias counts for: what follows from all links, also those of links."""

    pk = models.CompositePrimaryKey("project_id", "alias")
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    alias = models.TextField()
    person = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["project", "person"], name="aliases_of_a_person")]

    def __str__(self) -> str:
        return f"{self.alias} counts for {self.person}"

"""How an experiment stands by its newest result, and what people decided at its end."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.utils import timezone

from experiments.domain.conclusions import LONGEST_TAG, Choice, ConclusionState
from experiments.models.accounts import User
from experiments.models.experiment import Experiment


class Standing(models.Model):
    """What the newest result says of an experiment, in few words: the results themselves belong to another package.

    ``snapshot`` is the number of that result, ``recommendation`` what the rule said in it.
    """

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, primary_key=True, related_name="standing")
    snapshot = models.BigIntegerField()
    as_of = models.DateTimeField()
    recommendation = models.CharField(max_length=30)
    trustworthy = models.BooleanField()
    tone = models.CharField(max_length=8, blank=True)
    headline = models.TextField(blank=True)
    words = models.GeneratedField(
        expression=SearchVector("headline", weight="C", config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    def __str__(self) -> str:
        return f"{self.experiment}: {self.recommendation}"


class Conclusion(models.Model):
    """One decision about an experiment. Of several, the one whose state is "made" is in force.

    ``recommendation`` is what the rule said in the result ``snapshot``; both are empty where there was no result.
    ``against`` says that the decision contradicts the rule: then ``reviewed_by`` is the second person who agreed, or
    ``alone`` says that the project had nobody else who could.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="conclusions")
    decision = models.CharField(max_length=12, choices=[(c.value, c.value.capitalize()) for c in Choice])
    recommendation = models.CharField(max_length=30, blank=True)
    snapshot = models.BigIntegerField(null=True, blank=True)
    reason = models.TextField(max_length=2000)
    learned = models.TextField(max_length=5000)
    tags = ArrayField(models.CharField(max_length=LONGEST_TAG), default=list, blank=True)
    state = models.CharField(max_length=12, choices=[(s.value, s.value.capitalize()) for s in ConclusionState])
    against = models.BooleanField(default=False)
    alone = models.BooleanField(default=False)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(default=timezone.now)
    reviewed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review = models.CharField(max_length=500, blank=True)
    words = models.GeneratedField(
        expression=SearchVector("learned", weight="B", config="english")
        + SearchVector("reason", weight="C", config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        ordering = ["-decided_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["experiment"],
                condition=models.Q(state=ConclusionState.MADE.value),
                name="one_conclusion_in_force",
            ),
            models.UniqueConstraint(
                fields=["experiment"],
                condition=models.Q(state=ConclusionState.REQUESTED.value),
                name="one_conclusion_asked_for",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[s.value for s in ConclusionState]), name="conclusion_state_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(decision__in=[c.value for c in Choice]), name="conclusion_decision_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(recommendation="") ^ models.Q(snapshot__isnull=False),
                name="recommendation_names_its_result",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.experiment}: {self.decision}"

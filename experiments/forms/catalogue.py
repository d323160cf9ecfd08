"""The form of a model version."""

from typing import TYPE_CHECKING, Any

from django import forms

from experiments.models import ModelVersion, Project

if TYPE_CHECKING:  # Django's forms are generic for the type checker alone
    ModelVersionModelForm = forms.ModelForm[ModelVersion]
else:
    ModelVersionModelForm = forms.ModelForm


class ModelVersionForm(ModelVersionModelForm):
    """A model version and how good it looked offline."""

    class Meta:
        model = ModelVersion
        fields = ["name", "version", "offline_metric", "offline_value", "notes"]
        labels = {"name": "Model", "offline_metric": "Offline metric", "offline_value": "Its value"}
        help_texts = {
            "name": "For example ranker.",
            "version": "For example 2026-02-14 or v7.",
            "offline_metric": "For example NDCG@10 or accuracy.",
            "offline_value": "As a number: 0.412 for 41.2 %.",
        }

    def __init__(self, data: Any = None, *, project: Project, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.project = project

    def clean(self) -> dict[str, Any]:
        """Refuse a version that exists, and half an offline result."""
        values = super().clean() or {}
        name, version = values.get("name"), values.get("version")
        if name and version and self.project.model_versions.filter(name=name, version=version).exists():
            self.add_error("version", f"{name} {version} is registered already.")
        if (values.get("offline_value") is None) != (not values.get("offline_metric")):
            self.add_error("offline_value", "Give both the offline metric and its value, or neither.")
        return values

"""Every address of the product, one include an area."""

from django.urls import include, path

urlpatterns = [
    path("", include("experiments.urls")),
    path("", include("analysis.urls")),
]

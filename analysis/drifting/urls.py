"""Addresses of drift."""

from django.urls import URLPattern, path

from analysis.drifting import page

urlpatterns: list[URLPattern] = [
    path("p/<slug:project_slug>/experiments/<str:key>/drift/", page.drift, name="experiment_drift"),
    path("p/<slug:project_slug>/experiments/<str:key>/drift.csv", page.drift_csv, name="experiment_drift_csv"),
]

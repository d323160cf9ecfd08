"""Addresses of the results API."""

from django.urls import URLPattern, path

from analysis.api import experiments, refreshes

ROOT = "api/v1/experiments"

urlpatterns: list[URLPattern] = [
    path(ROOT, experiments.index, name="api_experiments"),
    path(f"{ROOT}/<str:key>/results", experiments.results, name="api_results"),
    path(f"{ROOT}/<str:key>/refresh", refreshes.start, name="api_refresh"),
    path(f"{ROOT}/<str:key>/refresh/<int:run_id>", refreshes.status, name="api_refresh_status"),
]

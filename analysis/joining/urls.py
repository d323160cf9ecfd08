"""Addresses of joining."""

from django.urls import URLPattern, path

from analysis.joining import page

urlpatterns: list[URLPattern] = [
    path("p/<slug:project_slug>/experiments/<str:key>/joining/", page.joining, name="experiment_joining"),
]

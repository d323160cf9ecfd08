"""Addresses of the simulator."""

from django.urls import URLPattern, path

from assignment.pages import simulator

PROJECT = "p/<slug:project_slug>/"

urlpatterns: list[URLPattern] = [
    path(PROJECT + "simulator/", simulator.simulator, name="simulator"),
    path(PROJECT + "simulator/<str:key>/", simulator.distribution, name="distribution"),
]

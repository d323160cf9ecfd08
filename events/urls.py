"""Addresses of the event pages."""

from django.urls import path

from events.pages import catalogue, live

PROJECT = "p/<slug:project_slug>/events/"

urlpatterns = [
    path(PROJECT, live.live, name="event_list"),
    path(PROJECT + "arrivals/", live.arrivals, name="event_arrivals"),
    path(PROJECT + "catalogue/", catalogue.event_catalogue, name="event_catalogue"),
    path(PROJECT + "names/", catalogue.event_names, name="event_names"),
    path(PROJECT + "properties/", catalogue.event_properties, name="event_properties"),
]

"""Addresses of alerts."""

from django.urls import URLPattern, path

from analysis.alerts import pages, quality_page

PROJECT = "p/<slug:project_slug>/"

urlpatterns: list[URLPattern] = [
    path(PROJECT + "alerts/", pages.alert_list, name="alert_list"),
    path(PROJECT + "alerts/asking/", pages.asking_part, name="alerts_asking"),
    path(PROJECT + "events/quality/", quality_page.event_quality, name="event_quality"),
    path(PROJECT + "experiments/<str:key>/alerts/", pages.asking_part, name="experiment_alerts"),
    path(PROJECT + "alerts/<int:alert_id>/acknowledge/", pages.acknowledge, name="alert_acknowledge"),
    path(PROJECT + "alerts/<int:alert_id>/hand-back/", pages.hand_back, name="alert_hand_back"),
    path(PROJECT + "alerts/<int:alert_id>/mute/", pages.mute, name="alert_mute"),
    path(PROJECT + "alerts/<int:alert_id>/unmute/", pages.unmute, name="alert_unmute"),
]

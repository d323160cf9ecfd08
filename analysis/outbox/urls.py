"""Addresses of deliveries."""

from django.urls import URLPattern, path

from analysis.outbox import pages

ROOT = "p/<slug:project_slug>/notifications/deliveries/"

urlpatterns: list[URLPattern] = [
    path(ROOT, pages.delivery_list, name="delivery_list"),
    path(ROOT + "<int:message_id>/", pages.delivery, name="delivery"),
    path(ROOT + "<int:message_id>/body/", pages.delivery_body, name="delivery_body"),
    path(ROOT + "<int:message_id>/again/", pages.send_again, name="delivery_again"),
]

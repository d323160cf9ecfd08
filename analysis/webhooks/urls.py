"""Addresses of webhooks' pages."""

from django.urls import URLPattern, path

from analysis.webhooks import pages

ROOT = "p/<slug:project_slug>/notifications/webhooks/"

urlpatterns: list[URLPattern] = [
    path(ROOT, pages.webhook_list, name="webhook_list"),
    path(ROOT + "<int:webhook_id>/", pages.webhook_edit, name="webhook_edit"),
    path(ROOT + "<int:webhook_id>/test/", pages.webhook_test, name="webhook_test"),
    path(ROOT + "<int:webhook_id>/rotate/", pages.webhook_rotate, name="webhook_rotate"),
    path(ROOT + "<int:webhook_id>/enable/", pages.webhook_enable, name="webhook_enable"),
    path(ROOT + "<int:webhook_id>/remove/", pages.webhook_remove, name="webhook_remove"),
]

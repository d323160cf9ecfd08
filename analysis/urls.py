"""Addresses of results, alerts and e-mails."""

from django.urls import URLResolver, include, path

urlpatterns: list[URLResolver] = [
    path("", include("analysis.overview.urls")),
    path("", include("analysis.pages.urls")),
    path("", include("analysis.pages.evidence.urls")),
    path("", include("analysis.alerts.urls")),
    path("", include("analysis.bots.urls")),
    path("", include("analysis.drifting.urls")),
    path("", include("analysis.joining.urls")),
    path("", include("analysis.mail.urls")),
    path("", include("analysis.notices.urls")),
    path("", include("analysis.outbox.urls")),
    path("", include("analysis.webhooks.urls")),
    path("", include("analysis.api.urls")),
]

"""Addresses of digests, unsubscribing and the development outbox."""

from django.urls import URLPattern, path

from analysis.mail import inspection, pages, portfolio_pages, unsubscribing

PROJECT = "p/<slug:project_slug>/"
EXPERIMENT = PROJECT + "experiments/<str:key>/"

urlpatterns: list[URLPattern] = [
    path(EXPERIMENT + "digests/", pages.digest_list, name="experiment_digests"),
    path(PROJECT + "digests/", pages.digest_list, name="project_digests"),
    path(PROJECT + "portfolios/new/", portfolio_pages.portfolio_new, name="portfolio_new"),
    path(PROJECT + "portfolios/<int:portfolio_id>/", portfolio_pages.portfolio_edit, name="portfolio_edit"),
    path(PROJECT + "portfolios/<int:portfolio_id>/remove/", portfolio_pages.portfolio_remove, name="portfolio_remove"),
    path(PROJECT + "portfolios/<int:portfolio_id>/digests/", pages.digest_list, name="portfolio_digests"),
    path(PROJECT + "digests/<int:digest_id>/remove/", pages.remove, name="digest_remove"),
    path(PROJECT + "digests/<int:digest_id>/send/", pages.send_now, name="digest_send"),
    path(PROJECT + "digests/<int:digest_id>/preview/", inspection.preview, name="digest_preview"),
    path(PROJECT + "digests/<int:digest_id>/preview/body/", inspection.preview_body, name="digest_preview_body"),
    path("unsubscribe/<str:token>/", unsubscribing.unsubscribe, name="unsubscribe"),
    path("dev/outbox/", inspection.outbox_list, name="dev_outbox"),
    path("dev/outbox/<int:message_id>/", inspection.outbox_detail, name="dev_outbox_message"),
    path("dev/outbox/<int:message_id>/body/", inspection.outbox_body, name="dev_outbox_body"),
]

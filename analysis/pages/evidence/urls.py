"""Addresses of evidence across experiments."""

from django.urls import URLPattern, path

from analysis.pages.evidence import holdbacks, interactions, north_star, past, proxies

EVIDENCE = "p/<slug:project_slug>/evidence/"

urlpatterns: list[URLPattern] = [
    path(EVIDENCE, proxies.proxies, name="evidence"),
    path(EVIDENCE + "renew/", proxies.renew, name="evidence_renew"),
    path(EVIDENCE + "past/", past.past, name="evidence_past"),
    path(EVIDENCE + "past/<int:import_id>/remove/", past.change_past, {"change": "remove"}, name="past_remove"),
    path(EVIDENCE + "past/<int:import_id>/restore/", past.change_past, {"change": "restore"}, name="past_restore"),
    path(EVIDENCE + "north-star/", north_star.north_star_page, name="evidence_north_star"),
    path(EVIDENCE + "north-star/choose/", north_star.choose, name="evidence_north_star_choose"),
    path(EVIDENCE + "interactions/", interactions.interactions, name="evidence_interactions"),
    path(EVIDENCE + "holdbacks/", holdbacks.holdbacks, name="evidence_holdbacks"),
]

"""Addresses of evidence across experiments."""

from django.urls import URLPattern, path

from analysis.pages.evidence import proxies

EVIDENCE = "p/<slug:project_slug>/evidence/"

urlpatterns: list[URLPattern] = [
    path(EVIDENCE, proxies.proxies, name="evidence"),
    path(EVIDENCE + "renew/", proxies.renew, name="evidence_renew"),
]

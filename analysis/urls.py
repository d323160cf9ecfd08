"""Addresses of results and e-mails."""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(module))
    for module in ("analysis.pages.urls", "analysis.mail.urls", "analysis.api.urls")
    if find_spec(module.rpartition(".")[0]) and find_spec(module)
]

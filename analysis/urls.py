"""Addresses of results and e-mails."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

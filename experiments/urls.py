"""Addresses of sign-in and set-up."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

"""Addresses of bots."""

from django.urls import URLPattern, path

from analysis.bots import page

PROJECT = "p/<slug:project_slug>/events/bots/"

urlpatterns: list[URLPattern] = [
    path(PROJECT, page.bots, name="event_bots"),
    path(PROJECT + "leave-out/", page.switch_on, name="bots_leave_out"),
    path(PROJECT + "let-in/", page.switch_off, name="bots_let_in"),
]

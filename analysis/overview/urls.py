"""Addresses of all experiments together."""

from django.urls import URLPattern, path

from analysis.overview import home, library, numbers_page, pages, search

PROJECT = "p/<slug:project_slug>/"

urlpatterns: list[URLPattern] = [
    path(PROJECT, home.project_home, name="project_home"),
    path(PROJECT + "experiments/", pages.experiment_list, name="experiment_list"),
    path(PROJECT + "experiments-many/", pages.bulk, name="experiment_bulk"),
    path(PROJECT + "search/", search.project_search, name="project_search"),
    path(PROJECT + "library/", library.programme_library, name="programme_library"),
    path(PROJECT + "experiments/<str:key>/related/", library.related, name="programme_related"),
    path(PROJECT + "programme/", numbers_page.programme_numbers, name="programme_numbers"),
    path(PROJECT + "programme/glance/", numbers_page.programme_glance, name="programme_glance"),
    path(PROJECT + "views/", pages.view_save, name="view_save"),
    path(PROJECT + "views/<int:view_id>/delete/", pages.view_delete, name="view_delete"),
]

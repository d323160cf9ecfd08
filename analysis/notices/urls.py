"""Addresses of notification settings."""

from django.urls import URLPattern, path

from analysis.notices import by_token, pages

ROOT = "p/<slug:project_slug>/notifications/"

urlpatterns: list[URLPattern] = [
    path(ROOT, pages.mine, name="notifications"),
    path(ROOT + "test/", pages.test_mail, name="notification_test"),
    path(ROOT + "people/", pages.people, name="notification_people"),
    path(ROOT + "people/<int:recipient_id>/enable/", pages.enable, name="recipient_enable"),
    path(ROOT + "follows/<int:follow_id>/remove/", pages.unfollow, name="follow_remove"),
    path("p/<slug:project_slug>/experiments/<str:key>/hearers/", pages.hearers, name="experiment_hearers"),
    path("preferences/<str:token>/", by_token.preferences_page, name="preferences"),
    path("preferences/<str:token>/unsubscribe/", by_token.silence, name="silence"),
]

"""Addresses of sign-in and set-up."""

from django.urls import path

from experiments.pages import catalogue, edit, home, keys, models, setup, sign_in, targeting, welcome

PROJECT = "p/<slug:project_slug>/"
EXPERIMENT = PROJECT + "experiments/<str:key>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("welcome/", welcome.welcome, name="welcome"),
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path(PROJECT + "experiments/new/", edit.new, name="experiment_new"),
    path(EXPERIMENT, setup.detail, name="experiment_detail"),
    path(EXPERIMENT + "edit/", edit.change, name="experiment_edit"),
    path(EXPERIMENT + "start/", setup.start, name="experiment_start"),
    path(EXPERIMENT + "stop/", setup.stop, name="experiment_stop"),
    path(PROJECT + "metrics/", catalogue.metric_list, name="metric_list"),
    path(PROJECT + "metrics/new/", catalogue.metric_new, name="metric_new"),
    path(PROJECT + "models/", models.model_list, name="model_list"),
    path(PROJECT + "models/new/", models.model_new, name="model_new"),
    path(PROJECT + "targeting/", targeting.sentence, name="targeting_sentence"),
    path(PROJECT + "keys/", keys.key_list, name="key_list"),
    path(PROJECT + "keys/<int:key_id>/revoke/", keys.key_revoke, name="key_revoke"),
]

"""Addresses of sign-in and set-up."""

from django.urls import path

from experiments.pages import (
    audience,
    conflicts,
    edit,
    flags,
    glossary,
    holdout,
    home,
    keys,
    layers,
    metrics,
    mlflow,
    models,
    overrides,
    rules,
    segments,
    setup,
    sign_in,
    steps,
    targeting,
    welcome,
)
from experiments.pages.designs import edit as designs_edit
from experiments.pages.designs import kinds

PROJECT = "p/<slug:project_slug>/"
EXPERIMENT = PROJECT + "experiments/<str:key>/"
FLAG = PROJECT + "flags/<str:key>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("glossary/", glossary.glossary, name="glossary"),
    path("welcome/", welcome.welcome, name="welcome"),
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path(PROJECT + "new-experiment/", kinds.choose, name="experiment_kinds"),
    path(PROJECT + "new-experiment/<slug:kind>/", designs_edit.new, name="design_new"),
    path(PROJECT + "experiments/new/", edit.new, name="experiment_new"),
    path(EXPERIMENT, setup.detail, name="experiment_detail"),
    path(EXPERIMENT + "conflicts/", conflicts.of_one, name="experiment_conflicts"),
    path(PROJECT + "conflicts/", conflicts.of_all, name="programme_conflicts"),
    path(EXPERIMENT + "edit/", edit.change, name="experiment_edit"),
    path(EXPERIMENT + "start/", setup.start, name="experiment_start"),
    path(EXPERIMENT + "audience/", audience.audience, name="experiment_audience"),
    path(EXPERIMENT + "overrides/", overrides.add, name="override_add"),
    path(EXPERIMENT + "overrides/<int:override_id>/remove/", overrides.remove, name="override_remove"),
    *(path(f"{EXPERIMENT}{step}/", steps.take, {"name": step}, name=f"experiment_{step}") for step in steps.STEPS),
    path(PROJECT + "flags/", flags.flag_list, name="flag_list"),
    path(PROJECT + "flags/new/", flags.flag_new, name="flag_new"),
    path(FLAG, flags.flag_detail, name="flag_detail"),
    path(FLAG + "edit/", flags.flag_edit, name="flag_edit"),
    path(FLAG + "switch/", flags.flag_switch, name="flag_switch"),
    path(FLAG + "needs/", flags.flag_needs, name="flag_needs"),
    path(FLAG + "archive/", flags.flag_archive, name="flag_archive"),
    path(FLAG + "rules/new/", rules.rule_new, name="flag_rule_new"),
    path(FLAG + "rules/<int:rule_id>/", rules.rule_edit, name="flag_rule_edit"),
    path(FLAG + "rules/<int:rule_id>/delete/", rules.rule_delete, name="flag_rule_delete"),
    path(FLAG + "rules/<int:rule_id>/move/", rules.rule_move, name="flag_rule_move"),
    path(PROJECT + "metrics/", metrics.metric_list, name="metric_list"),
    path(PROJECT + "metrics/new/", metrics.metric_new, name="metric_new"),
    path(PROJECT + "metric-sentence/", metrics.metric_sentence, name="metric_sentence"),
    path(PROJECT + "metrics/<slug:key>/", metrics.metric_detail, name="metric_detail"),
    path(PROJECT + "metrics/<slug:key>/edit/", metrics.metric_edit, name="metric_edit"),
    *(
        path(f"{PROJECT}metrics/<slug:key>/{act}/", metrics.metric_act, {"act": act}, name=f"metric_{act}")
        for act in metrics.ACTS
    ),
    path(PROJECT + "models/", models.model_list, name="model_list"),
    path(PROJECT + "models/new/", models.model_new, name="model_new"),
    path(PROJECT + "models/pull/", mlflow.pull_models, name="model_pull"),
    path(PROJECT + "models/<int:version_id>/edit/", models.model_edit, name="model_edit"),
    path(PROJECT + "layers/", layers.layer_list, name="layer_list"),
    path(PROJECT + "segments/", segments.segment_list, name="segment_list"),
    path(PROJECT + "segments/new/", segments.segment_new, name="segment_new"),
    path(PROJECT + "segments/<str:key>/", segments.segment_edit, name="segment_edit"),
    path(PROJECT + "segments/<str:key>/archive/", segments.segment_archive, name="segment_archive"),
    path(PROJECT + "holdout/", holdout.holdout, name="holdout"),
    path(PROJECT + "holdout/<str:key>/stop/", holdout.holdout_stop, name="holdout_stop"),
    path(PROJECT + "targeting/", targeting.sentence, name="targeting_sentence"),
    path(PROJECT + "keys/", keys.key_list, name="key_list"),
    path(PROJECT + "keys/<int:key_id>/revoke/", keys.key_revoke, name="key_revoke"),
]

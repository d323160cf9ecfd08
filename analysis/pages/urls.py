"""Addresses of results: one experiment's page, exact snapshots, downloads and refreshes."""

from django.urls import URLPattern, path

from analysis.pages import (
    business,
    checklist,
    compare,
    decisions,
    downloads,
    families,
    forecast,
    metrics,
    notes,
    previews,
    refreshing,
    results,
    share,
    styleguide,
)
from analysis.pages.depth import page as depth

PROJECT = "p/<slug:project_slug>/"
EXPERIMENT = PROJECT + "experiments/<str:key>/"

urlpatterns: list[URLPattern] = [
    path(EXPERIMENT + "results/", results.latest_results, name="experiment_results"),
    path(EXPERIMENT + "results/<int:snapshot_id>/", results.exact_snapshot, name="result_snapshot"),
    path(EXPERIMENT + "results.csv", downloads.results_csv, name="results_csv"),
    path(EXPERIMENT + "results.json", downloads.results_json, name="results_json"),
    path(EXPERIMENT + "results.pdf", downloads.results_pdf, name="results_pdf"),
    path(EXPERIMENT + "results.ipynb", downloads.results_notebook, name="results_notebook"),
    path(EXPERIMENT + "notes/", notes.note_new, name="note_new"),
    path(EXPERIMENT + "notes/<int:note_id>/", notes.note_edit, name="note_edit"),
    path(EXPERIMENT + "notes/<int:note_id>/delete/", notes.note_delete, name="note_delete"),
    path(EXPERIMENT + "share/", share.share_links, name="results_share"),
    path(EXPERIMENT + "share/<int:link_id>/revoke/", share.unshare, name="results_unshare"),
    path("shared/<str:token>/", share.shared_results, name="shared_results"),
    path(EXPERIMENT + "results/metrics/<slug:metric_key>/", depth.metric_in_depth, name="metric_in_depth"),
    path(EXPERIMENT + "metrics/<slug:metric_key>/version/", metrics.version_choice, name="experiment_metric_version"),
    path(PROJECT + "metric-preview/", previews.try_form, name="metric_preview_form"),
    path(PROJECT + "metrics/<slug:key>/preview/", previews.try_metric, name="metric_preview"),
    path(PROJECT + "metrics/<slug:key>/trial/", metrics.metric_trial, name="metric_trial"),
    path(EXPERIMENT + "decisions/", decisions.give_file, name="offpolicy_give"),
    path(EXPERIMENT + "business/", business.business_terms, name="experiment_business"),
    path(EXPERIMENT + "checklist/", checklist.checklist, name="experiment_checklist"),
    path(EXPERIMENT + "certify/", checklist.certify, name="experiment_certify"),
    path(EXPERIMENT + "forecast/", forecast.forecast, name="experiment_forecast"),
    path(EXPERIMENT + "refresh/", refreshing.refresh, name="experiment_refresh"),
    path(EXPERIMENT + "refresh/<int:run_id>/", refreshing.progress, name="refresh_progress"),
    path(PROJECT + "models/of/<path:name>/", families.family, name="model_family"),
    path(PROJECT + "models/<int:version_id>/compare/", compare.compare_versions, name="model_compare"),
    path(PROJECT + "models/<int:version_id>/scores/", compare.upload_scores, name="model_scores"),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
]

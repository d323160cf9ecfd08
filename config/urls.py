"""Every address of the product, one include an area."""

from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView


class _Icon(RedirectView):
    """Browsers ask for this address beside answers that are no pages, which cannot name their icon."""

    def get_redirect_url(self, *_args: object, **_kwargs: object) -> str:
        return static("icon.svg")


urlpatterns = [
    path("", include("experiments.urls")),
    path("", include("events.urls")),
    path("", include("assignment.pages.urls")),
    path("", include("analysis.urls")),
    path("favicon.ico", _Icon.as_view()),
]
handler404 = "config.errors.not_found"
handler500 = "config.errors.failed"

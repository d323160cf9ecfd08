"""Sign in and out with an e-mail address and a password."""

from typing import Any

from django import forms
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from experiments.models import User
from experiments.pages import kept, throttle, welcome

REFUSED = "This e-mail address and password do not match an account. Check both and try again."
WAIT = f"Too many attempts. Wait {throttle.WAIT_SECONDS // 60} minutes, then try again."


class SignInForm(forms.Form):
    """An address and a password. One answer to whatever is wrong, so that nobody learns which addresses exist."""

    email = forms.EmailField(max_length=254)
    password = forms.CharField(max_length=4096, strip=False)

    def __init__(self, data: Any = None, *, request: HttpRequest) -> None:
        super().__init__(data)
        self.request = request
        self.user: User | None = None

    def clean(self) -> dict[str, Any]:
        """Check the pair, unless this address has failed too often from this place."""
        values: dict[str, Any] = self.cleaned_data
        email, password = values.get("email"), values.get("password")
        if not email or not password:
            return values
        place = str(self.request.META.get("REMOTE_ADDR", ""))
        if throttle.is_blocked(email, place):
            raise forms.ValidationError(WAIT, code="wait")
        self.user = authenticate(self.request, username=email.lower(), password=password)
        if self.user is None:
            throttle.count_failure(email, place)
            raise forms.ValidationError(REFUSED, code="refused")
        throttle.forget(email, place)
        return values


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the form, or sign in and go where the visitor wanted to go."""
    if request.user.is_authenticated:
        return redirect("home")
    if welcome.is_empty():
        return redirect("welcome")
    form = SignInForm(request.POST if request.method == "POST" else None, request=request)
    if form.is_bound and form.is_valid() and form.user is not None:
        login(request, form.user)
        kept.remember(request, request.POST.get(kept.FIELD, ""))
        return redirect(_wanted(request))
    waits = any(error.code == "wait" for error in form.non_field_errors().as_data()) if form.is_bound else False
    status = 429 if waits else 400 if form.is_bound else 200
    wanted = request.POST.get("next") or request.GET.get("next", "")
    context = {"form": form, "next": wanted, kept.FIELD: request.POST.get(kept.FIELD, "")}
    return render(request, "sign_in.html", context, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("sign_in")


def _wanted(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return wanted
    return resolve_url("home")

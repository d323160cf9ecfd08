"""The first minute of an empty installation: one account, then the first project."""

from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from experiments.forms.errors import summary
from experiments.models import User

# Any number will do, as long as nothing else in the product locks it.
FIRST_ACCOUNT_LOCK = 7_305_001


class FirstAccountForm(forms.Form):
    """Who runs this installation."""

    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    password = forms.CharField(
        max_length=4096,
        strip=False,
        help_text="At least 10 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a password that is short or common."""
        values = super().clean() or {}
        if password := values.get("password"):
            try:
                validate_password(password, User(email=values.get("email", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return values


def is_empty() -> bool:
    """Say whether nobody has an account yet."""
    return not User.objects.exists()


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """Make the first account of an installation; closed for good as soon as there is one."""
    if not is_empty():
        return redirect("sign_in")
    form = FirstAccountForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        user = _create_first(form.cleaned_data)
        if user is None:
            return redirect("sign_in")
        login(request, user)
        return redirect("home")
    context = {"form": form, "errors": summary([form])}
    return render(request, "welcome.html", context, status=400 if form.is_bound else 200)


@transaction.atomic
def _create_first(values: dict[str, Any]) -> User | None:
    """Create the account, or nothing when somebody else was faster."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FIRST_ACCOUNT_LOCK])
    if not is_empty():
        return None
    return User.objects.create_superuser(values["email"], values["password"], name=values["name"])

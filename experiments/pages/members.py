"""The members of a project, invitations to it, and the page on which somebody joins."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.password_validation import validate_password
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from kombu.exceptions import OperationalError as BrokerError

from experiments import members
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.forms.errors import summary
from experiments.models import Invitation, Membership, Project, User
from experiments.pages.kept import typed
from experiments.pages.paging import page_of
from experiments.refusals import RefusedError
from experiments.tasks import mail_invitation

WHAT_ROLES_MAY = {
    Role.VIEWER: "reads everything",
    Role.ANALYST: "also sends results by e-mail",
    Role.EDITOR: "also sets up, starts and concludes experiments, and agrees to decisions against the rule",
    Role.ADMIN: "also invites and removes members",
}
ROLES = [(role.value, f"{role.value.capitalize()}: {WHAT_ROLES_MAY[role]}") for role in Role]


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(label="E-mail address", max_length=254)
    role = forms.ChoiceField(choices=ROLES, initial=Role.EDITOR.value, widget=forms.RadioSelect)


class JoinForm(forms.Form):
    """The account of somebody who has none yet; the address is the invited one."""

    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = forms.CharField(
        max_length=4096,
        strip=False,
        help_text="At least 10 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, posted: Any, *, email: str) -> None:
        super().__init__(posted)
        self.email = email

    def clean_password(self) -> str:
        """Return a password that is neither short nor common."""
        password = str(self.cleaned_data["password"])
        validate_password(password, User(email=self.email))
        return password


@login_required
@require_http_methods(["GET", "POST"])
def member_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List members and open invitations, or invite somebody."""
    posts = request.method == "POST"
    project, role = get_project(request.user, project_slug, Role.ADMIN if posts else Role.VIEWER)
    form = InviteForm(typed(request))
    if posts and form.is_valid():
        try:
            made = members.invite(project, form.cleaned_data["email"], Role(form.cleaned_data["role"]), request.user)
        except RefusedError as error:
            form.add_error("email", str(error))
        else:
            _mail(request, made)
            return redirect("member_list", project.slug)
    is_admin = may(role, Role.ADMIN)
    waiting = members.open_invitations(project, timezone.now()) if is_admin else []
    context = {
        "project": project,
        "settings_page": "members",
        "shown": page_of(request, project.memberships.select_related("user").order_by("user__name", "user__email")),
        "roles": [(one.value, one.value.capitalize()) for one in Role],
        "meanings": [(one.value.capitalize(), WHAT_ROLES_MAY[one]) for one in Role],
        "waiting": [(one, members.link_of(one)) for one in waiting],
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "is_admin": is_admin,
    }
    return render(request, "settings/member_list.html", context, status=400 if posts else 200)


def _mail(request: SignedInRequest, invitation: Invitation) -> None:
    try:
        mail_invitation.delay(invitation.pk)
        messages.success(request, f"{invitation.email} is invited by e-mail. The link below does the same.")
    except BrokerError:
        messages.warning(request, f"{invitation.email} is invited, but no mail could be queued: send the link.")


def _membership(project: Project, member_id: int) -> Membership:
    found = project.memberships.select_related("user", "project").filter(pk=member_id).first()
    if found is None:
        raise Http404(f"Project {project.slug!r} has no member {member_id}.")
    return found


@login_required
@require_POST
def member_role(request: SignedInRequest, project_slug: str, member_id: int) -> HttpResponse:
    """Give a member another role."""
    project, _ = get_project(request.user, project_slug, Role.ADMIN)
    found, wanted = _membership(project, member_id), request.POST.get("role", "")
    try:
        if wanted not in list(Role):
            messages.error(request, f"Choose one of {', '.join(Role)}. Nothing was changed.")
        elif members.change_role(found, Role(wanted), request.user):
            messages.success(request, f"{found.user} is {wanted} now.")
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("member_list", project.slug)


@login_required
@require_POST
def member_remove(request: SignedInRequest, project_slug: str, member_id: int) -> HttpResponse:
    """Take a member out; one that is gone already is no error."""
    project, _ = get_project(request.user, project_slug, Role.ADMIN)
    found = project.memberships.select_related("user", "project").filter(pk=member_id).first()
    try:
        if found is not None and members.remove(found, request.user):
            messages.success(request, f"{found.user} is no member any more. What they made stays.")
            if found.user_id == request.user.pk:
                return redirect("home")
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("member_list", project.slug)


@login_required
@require_POST
def invitation_revoke(request: SignedInRequest, project_slug: str, invitation_id: int) -> HttpResponse:
    """Take an invitation back; its link opens nothing any more."""
    project, _ = get_project(request.user, project_slug, Role.ADMIN)
    found = project.invitations.filter(pk=invitation_id).first()
    if found is not None and members.revoke(found, request.user):
        messages.success(request, f"The invitation of {found.email} is taken back.")
    return redirect("member_list", project.slug)


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Accept an invitation: with the account of its address, or with a new one made here."""
    found = members.invitation_of(token, timezone.now())
    if found is None:
        return render(request, "join.html", {"invitation": None}, status=404)
    if request.user.is_authenticated:
        return _joined(request, found, request.user) if request.method == "POST" else _join_page(request, found)
    if User.objects.filter(email=found.email).exists():
        return redirect(f"{reverse('sign_in')}?next={request.path}")
    form = JoinForm(request.POST if request.method == "POST" else None, email=found.email)
    if form.is_bound and form.is_valid() and (user := _account(found, form)) is not None:
        login(request, user)
        return _joined(request, found, user)
    return _join_page(request, found, form)


def _account(invitation: Invitation, form: JoinForm) -> User | None:
    """Make the account, or nothing where a second click was faster."""
    try:
        with transaction.atomic():
            values = form.cleaned_data
            return User.objects.create_user(invitation.email, values["password"], name=values["name"])
    except IntegrityError:
        form.add_error(None, "This account exists already. Sign in with it.")
        return None


def _joined(request: HttpRequest, invitation: Invitation, user: User) -> HttpResponse:
    try:
        members.accept(invitation, user)
    except RefusedError as error:
        messages.error(request, f"{error} Sign out, and open the link again.")
        return redirect("home")
    messages.success(request, f"Welcome to {invitation.project}.")
    return redirect("project_home", invitation.project.slug)


def _join_page(request: HttpRequest, invitation: Invitation, form: JoinForm | None = None) -> HttpResponse:
    context = {
        "invitation": invitation,
        "means": WHAT_ROLES_MAY[Role(invitation.role)],
        "form": form,
        "errors": summary([form]) if form is not None and form.is_bound else [],
    }
    return render(request, "join.html", context, status=400 if form is not None and form.is_bound else 200)

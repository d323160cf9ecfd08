import hashlib

import psycopg
import pytest
from django.db import connection, transaction

from experiments import keys
from experiments.changes import announce
from experiments.domain.access import Scope
from experiments.domain.changes import CHANNEL
from experiments.models import ApiKey, AuditEntry
from tests import builders

pytestmark = pytest.mark.django_db


def test_issue_key__keeps_a_digest_and_never_the_key():
    alice = builders.user()
    key, plain = keys.issue_key(builders.project(owner=alice), "Checkout", [Scope.EVALUATE, Scope.INGEST], alice)

    assert plain.startswith("tl_")
    assert len(plain) == 46
    stored = ApiKey.objects.get(pk=key.pk)
    assert stored.digest == hashlib.sha256(plain.encode()).hexdigest()
    assert stored.scopes == ["evaluate", "ingest"]
    assert plain.startswith(stored.prefix)
    assert len(stored.prefix) < len(plain) / 4
    assert plain not in str(AuditEntry.objects.values_list("before", "after", "subject"))


def test_issue_key__says_who_made_it_in_the_audit():
    alice = builders.user()
    home = builders.project(owner=alice)
    key, _ = keys.issue_key(home, "Checkout", [Scope.READ], alice)

    entry = AuditEntry.objects.get(project=home)
    assert (entry.action, entry.user, entry.subject) == ("key.issued", alice, f"key:{key.prefix}")
    assert entry.after == {
        "name": "Checkout",
        "scopes": ["read"],
        "environment": "production",
        "delivery": "plain",
    }


def test_issue_key__without_a_scope__is_refused_and_leaves_nothing():
    home = builders.project()
    with pytest.raises(keys.KeyScopeError, match="evaluate, ingest, read"):
        keys.issue_key(home, "Empty", [], None)
    assert not ApiKey.objects.exists()


def test_issue_key__two_keys__differ():
    home = builders.project()
    assert keys.issue_key(home, "A", [Scope.READ], None)[1] != keys.issue_key(home, "A", [Scope.READ], None)[1]


def test_revoke__twice__happens_once():
    alice = builders.user()
    key, _ = keys.issue_key(builders.project(), "Leaked", [Scope.INGEST], alice)

    assert keys.revoke(key, alice, why="found in a public log")
    first = ApiKey.objects.get(pk=key.pk).revoked_at
    assert not keys.revoke(key, alice)

    assert first is not None
    assert ApiKey.objects.get(pk=key.pk).revoked_at == first
    entry = AuditEntry.objects.get(action="key.revoked")
    assert (entry.user, entry.why) == (alice, "found in a public log")


@pytest.mark.django_db(transaction=True)
def test_announce__reaches_a_listener_on_commit_and_not_on_rollback():
    parameters = {k: v for k, v in connection.get_connection_params().items() if k in {"dbname", "user", "host"}}
    with psycopg.connect(**parameters, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        with transaction.atomic():
            announce()
            transaction.set_rollback(True)
        assert list(listener.notifies(timeout=0.2)) == []
        with transaction.atomic():
            announce()
            announce()
        assert len(list(listener.notifies(timeout=0.5))) == 1

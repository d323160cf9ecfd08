import base64

from experiments.domain.access import Scope
from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery
from experiments.keys import issue_key
from experiments.models import AuditEntry


def test_issue__encrypted__holds_sixteen_random_bytes_that_the_audit_does_not(shop, alice):
    first, _ = issue_key(shop, "App", [Scope.EVALUATE], alice, delivery=Delivery.ENCRYPTED)
    second, _ = issue_key(shop, "App", [Scope.EVALUATE], alice, delivery=Delivery.ENCRYPTED)
    assert len(base64.b64decode(first.encryption_key, validate=True)) == 16
    assert first.encryption_key != second.encryption_key
    assert not any(first.encryption_key in str(entry.after) for entry in AuditEntry.objects.all())


def test_issue__for_staging__belongs_to_staging_alone(shop, alice):
    key, _ = issue_key(shop, "App", [Scope.WRITE], alice, environment=Environment.STAGING)
    key.refresh_from_db()
    assert (key.environment, key.delivery, key.encryption_key, key.scopes) == ("staging", "plain", "", ["write"])

from django.urls import reverse


def test_styleguide__shows_every_part_without_a_sign_in(client, db):
    page = client.get(reverse("styleguide"))
    assert page.status_code == 200
    assert page.content.decode().count("<table") >= 4

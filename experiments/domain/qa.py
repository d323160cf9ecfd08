"""Links that show one variant, whoever opens them: the client reads the variant's number from the page's address."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def variant_link(page_address: str, key: str, position: int) -> str:
    """Return the page's address with ``?<experiment key>=<position>``, which the SDKs take for an override.

    Whoever comes by such a link is in no analysis: no exposure is sent.
    """
    parts = urlsplit(page_address)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != key]
    return urlunsplit(parts._replace(query=urlencode([*kept, (key, str(position))])))

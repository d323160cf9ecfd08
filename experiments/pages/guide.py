"""The user guide inside the product: the same Markdown files and pictures that lie in docs/user-guide."""

from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from django.views.decorators.http import require_GET
from markdown_it import MarkdownIt
from markdown_it.token import Token
from PIL import Image

FIRST = "README"
CHAPTERS = {
    FIRST: "Where to begin",
    "first-experiment": "Your first experiment",
    "reading-results": "Reading results",
    "life-cycle": "From draft to decision",
    "metrics": "Metrics",
    "models": "Models and the chain to the business",
    "evidence": "Which proxies can be trusted",
    "before-the-ab-test": "Before the A/B test, and instead of it",
    "e-mails": "E-mails and alarms",
    "what-can-go-wrong": "What can go wrong",
}
"""In the order in which somebody new needs them."""
ABOUT = (
    ("result", "reading-results"), ("experiment_new", "first-experiment"), ("experiment_set_up", "first-experiment"),
    ("experiment", "life-cycle"), ("metric", "metrics"), ("model", "models"), ("evidence", "evidence"),
    ("design", "before-the-ab-test"), ("digest", "e-mails"), ("notification", "e-mails"), ("portfolio", "e-mails"),
    ("webhook", "e-mails"), ("deliver", "e-mails"), ("alert", "what-can-go-wrong"), ("event", "what-can-go-wrong"),
)  # fmt: skip
"""Which chapter helps on which pages, by the beginning of the address's name; the first that fits."""
RESULTS = frozenset({"experiment_results", "experiment_business", "experiment_metric_version"})


@require_GET
def chapter(request: HttpRequest, name: str = FIRST) -> HttpResponse:
    """Show a chapter. Nobody needs to sign in."""
    if name not in CHAPTERS:
        raise Http404(f"The guide has no chapter {name[:80]!r}; it has {', '.join(CHAPTERS)}.")
    names = list(CHAPTERS)
    following = names[names.index(name) + 1 :][:1]
    context = {
        "name": name,
        "title": CHAPTERS[name],
        "chapters": [(CHAPTERS[one], address_of(one), one == name) for one in names],
        "text": text_of(name),
        "following": [(CHAPTERS[one], address_of(one)) for one in following],
    }
    return render(request, "guide.html", context)


@require_GET
def picture(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001  (a view's signature)
    """Return a picture of the guide."""
    file = _root() / "images" / f"{name}.webp"
    if not file.is_file():
        raise Http404(f"The guide has no picture {name[:80]!r}.")
    answer = HttpResponse(file.read_bytes(), content_type="image/webp")
    answer["Cache-Control"] = "public, max-age=3600"
    return answer


def address_of(name: str) -> str:
    """Return where a chapter is read."""
    return reverse("guide") if name == FIRST else reverse("guide_chapter", args=[name])


def help_for(page: str) -> str:
    """Return the address of the chapter that helps on a page, by the name of the page's address."""
    if page in RESULTS:
        return address_of("reading-results")
    return address_of(next((name for start, name in ABOUT if page.startswith(start)), FIRST))


@cache
def text_of(name: str) -> SafeString:
    """Return a chapter as HTML; the files are our own, and raw HTML in them is shown as text."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse((_root() / f"{name}.md").read_text(encoding="utf-8"))
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", slugify(tokens[at + 1].content))
        for inner in token.children or []:
            _lead_inside(inner)
    drawn = parser.renderer.render(tokens, parser.options, {})
    table = '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table class="plain">'
    drawn = drawn.replace("<table>", table).replace("</table>", "</table></div>").replace("<th>", '<th scope="col">')
    made: SafeString = mark_safe(drawn)  # noqa: S308  (made from our own files)
    return made


def _root() -> Path:
    return Path(settings.GUIDE_ROOT)


def _lead_inside(token: Token) -> None:
    """Let links and pictures, which name files, lead to pages of the product."""
    if token.type == "image":
        file = _root() / str(token.attrs["src"])
        token.attrs |= {"src": reverse("guide_picture", args=[file.stem]), "loading": "lazy", **_size(file)}
    if token.type == "link_open":
        name, _, place = str(token.attrs["href"]).partition("#")
        name = name.removesuffix(".md")
        if name in CHAPTERS:
            token.attrs["href"] = address_of(name) + (f"#{place}" if place else "")


def _size(file: Path) -> dict[str, str | int | float]:
    """Return how large a picture is, so that the text does not jump when it comes."""
    if not file.is_file():
        return {}
    with Image.open(file) as found:
        return {"width": found.width, "height": found.height}

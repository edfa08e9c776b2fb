"""check_links.py SITE: every link inside a built site leads to a file that is there, and to a place in it.

Links to other hosts are left alone: whether they answer today says nothing about this project.
"""

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

APART: Final = "lite"
"""JupyterLite, whose pages are not ours, and which `make docs` builds after all else."""


class Page(HTMLParser):
    """The places in a page that can be linked to, and what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what an element says of itself."""
        for name, value in attributes:
            if value is None:
                continue
            if name in ("id", "name"):
                self.places.add(value)
            elif name in ("href", "src"):
                self.links.append(value)


@cache
def page(path: Path) -> Page:
    """The page in this file."""
    return Page(path.read_text("utf-8"))


def broken_links(site: Path) -> Iterator[str]:
    """Name each page and the link in it that leads nowhere."""
    site = site.resolve()
    for path in sorted(site.rglob("*.html")):
        if {"_static", APART} & set(path.relative_to(site).parts):
            continue
        for link in page(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            where = f"{path.relative_to(site)}: {link}"
            if target.is_relative_to(site / APART) and not (site / APART).exists():
                continue
            if not target.is_file():
                yield f"{where}: no such file"
            elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in page(target).places:
                yield f"{where}: no such place in that page"


def main() -> int:
    """Print what is broken; 1 if something is."""
    found = list(broken_links(Path(sys.argv[1])))
    print("\n".join(found) or "check_links: every link inside the site leads somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

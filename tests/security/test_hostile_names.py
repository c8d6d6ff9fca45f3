"""A name from the registry or from a file is text everywhere: on pages, in pictures and in workbooks."""

import io
from dataclasses import replace

import openpyxl
import pytest
from builders import TRACK, content_of, expected

from fems.forecast.reasons import LANGUAGES
from fems.report.page import render
from fems.report.workbook import workbook
from fems.views.pages import message_page

pytestmark = pytest.mark.security

NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></svg><script>alert(1)</script>",
    "{{ 7*7 }}{% include '/etc/passwd' %}",
    r"$\frac{1$ \input{/etc/passwd}",
    "=HYPERLINK(\"http://evil.example.org\")",
    "@SUM(1)",
    '" id="show-en" checked',
]  # fmt: skip


def test_names_are_text_in_a_report_and_a_workbook() -> None:
    content = content_of(expected(), TRACK)
    factory, everything = content.factory, " ".join(NAMES)
    machines = {
        key: each.model_copy(update={"name": f"={name}", "name_ko": name + everything})
        for (key, each), name in zip(factory.equipment.items(), NAMES, strict=False)
    }
    update = {"name": everything, "name_ko": NAMES[4], "equipment": factory.equipment | machines}
    hostile = replace(content, factory=factory.model_copy(update=update))
    page = render(hostile, "en")
    assert "<script" not in page and "<img" not in page and "{{ 7*7 }}" in page
    assert page.count('id="show-en" checked') == 1
    for language in LANGUAGES:
        book = openpyxl.load_workbook(io.BytesIO(workbook(hostile, language)))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert any(NAMES[4] in str(cell.value) for cell in cells)
        assert not [cell.value for cell in cells if cell.data_type == "f"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_on_the_pages(name: str) -> None:
    factories = [{"id": "1100", "name": name, "name_ko": name}]
    for language in LANGUAGES:
        page = message_page(name, name, language, "/fems", factories)
        assert "<script" not in page and "<img" not in page and ("7*7" in page) == ("7*7" in name)

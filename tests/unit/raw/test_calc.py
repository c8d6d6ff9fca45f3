"""Workbooks as LibreOffice writes them (the parts of its files that matter, by hand): the right value, both readers."""

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from three_days import KWH, ONE, PLAIN, TIMES, assert_right, read

from fems.raw.fast import plain

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
OASIS = "urn:oasis:names:tc:opendocument"
SPREADSHEET = "application/vnd.oasis.opendocument.spreadsheet"
LAST_ROW = 1_048_576
ROW = 'customFormat="false" ht="12.8" hidden="false" customHeight="false" outlineLevel="0" collapsed="false"'


@pytest.fixture(params=["compiled", "text"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "text":
        monkeypatch.setattr(plain, "reader", lambda: None)


def packed(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def calc_xlsx(rows: list[list[str]], texts: list[str], epoch_1904: bool = False) -> bytes:
    """Cells are written out; `texts` are the shared strings. Empty rows with a style follow to the sheet's end."""
    lines = [f'<row r="{n}" {ROW}>{"".join(cells)}</row>' for n, cells in enumerate(rows, start=1)]
    lines += [
        f'<row r="{LAST_ROW - 1}" {ROW}/>',
        f'<row r="{LAST_ROW}" {ROW}><c r="A{LAST_ROW}" s="1"/></row>',
    ]
    kinds = {"/xl/workbook.xml": "sheet.main", "/xl/styles.xml": "styles", "/xl/sharedStrings.xml": "sharedStrings",
             "/xl/worksheets/sheet1.xml": "worksheet"}  # fmt: skip
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{SHEET}.{kind}+xml"/>' for name, kind in kinds.items()
    )
    targets = {
        "styles": "styles.xml",
        "worksheet": "worksheets/sheet1.xml",
        "sharedStrings": "sharedStrings.xml",
    }
    relations = "".join(
        f'<Relationship Id="rId{i}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(targets.items(), start=1)
    )
    strings = "".join(f'<si><t xml:space="preserve">{text}</t></si>' for text in texts)
    return packed(
        {
            "[Content_Types].xml": f'{HEAD}<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType='
            f'"application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
            f'relationships+xml"/>{overrides}</Types>',
            "_rels/.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
            f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/_rels/workbook.xml.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships">{relations}'
            "</Relationships>",
            "xl/workbook.xml": f'{HEAD}<workbook {MAIN} xmlns:r="{RELATIONS}"><fileVersion appName="Calc"/><workbookPr '
            f'backupFile="false" showObjects="all" date1904="{str(epoch_1904).lower()}"/><sheets><sheet name="Sheet1" '
            'sheetId="1" state="visible" r:id="rId2"/></sheets></workbook>',
            "xl/styles.xml": f'{HEAD}<styleSheet {MAIN}><numFmts count="2"><numFmt numFmtId="164" '
            'formatCode="General"/><numFmt numFmtId="165" formatCode="dd/mm/yyyy\\ hh:mm"/></numFmts>'
            '<fonts count="1"><font><sz val="10"/>'
            '<name val="Arial"/></font></fonts><fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
            '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf numFmtId="164"/></cellStyleXfs>'
            '<cellXfs count="2"><xf numFmtId="164" xfId="0"/><xf numFmtId="165" xfId="0"/></cellXfs></styleSheet>',
            "xl/worksheets/sheet1.xml": f'{HEAD}<worksheet {MAIN}><dimension ref="A1:B{LAST_ROW}"/><sheetData>'
            f"{''.join(lines)}</sheetData></worksheet>",
            "xl/sharedStrings.xml": f"{HEAD}<sst {MAIN}>{strings}</sst>",
        }
    )


def calc_ods(rows: list[str]) -> bytes:
    """Rows are written out; empty columns and rows are repeated to the sheet's end."""
    more = '<table:table-cell table:number-columns-repeated="16382"/>'
    lines = "".join(f'<table:table-row table:style-name="ro1">{row}{more}</table:table-row>' for row in rows)
    lines += (
        f'<table:table-row table:number-rows-repeated="{LAST_ROW - len(rows)}"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row>'
    )
    names = " ".join(f'xmlns:{part}="{OASIS}:xmlns:{part}:1.0"' for part in ("office", "table", "text"))
    return packed(
        {
            "mimetype": SPREADSHEET,
            "content.xml": f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {names} '
            'office:version="1.3"><office:body><office:spreadsheet><table:table table:name="Sheet1">'
            f"{lines}</table:table>"
            "</office:spreadsheet></office:body></office:document-content>",
            "META-INF/manifest.xml": f'<?xml version="1.0" encoding="UTF-8"?><manifest:manifest xmlns:manifest='
            f'"{OASIS}:xmlns:manifest:1.0"><manifest:file-entry manifest:full-path="/" manifest:media-type='
            f'"{SPREADSHEET}"/></manifest:manifest>',
        }
    )


def serial(moment: Any, epoch_1904: bool) -> float:
    """Days as the workbook counts them, to as many digits as LibreOffice writes."""
    days = (
        moment.tz_localize(None) - np.datetime64("1904-01-01" if epoch_1904 else "1899-12-30")
    ) / np.timedelta64(1, "D")
    return float(f"{days:.15g}")


@pytest.mark.parametrize("epoch_1904", [False, True])
@pytest.mark.parametrize("value", ["number", "formula", "formula of a text", "shared string"])
def test_a_workbook_of_calc(value: str, epoch_1904: bool) -> None:
    texts = ["t", "v", *(str(x) for x in KWH)]
    rows = [['<c r="A1" s="0" t="s"><v>0</v></c>', '<c r="B1" s="0" t="s"><v>1</v></c>']]
    for n, (moment, x) in enumerate(zip(TIMES, KWH, strict=True), start=2):
        cell = {
            "number": f'<c r="B{n}" s="0" t="n"><v>{x}</v></c>',
            "formula": f'<c r="B{n}" s="0" t="n"><f aca="false">D{n}*2</f><v>{x}</v></c>',
            "formula of a text": f'<c r="B{n}" s="0" t="str"><f aca="false">TEXT(D{n},"0.000")</f><v>{x}</v></c>',
            "shared string": f'<c r="B{n}" s="0" t="s"><v>{n}</v></c>',
        }[value]
        rows.append([f'<c r="A{n}" s="1" t="n"><v>{serial(moment, epoch_1904)!r}</v></c>', cell])
    native, reasons = read(calc_xlsx(rows, texts, epoch_1904), PLAIN, "a.xlsx")
    assert reasons == []
    assert_right(native)


@pytest.mark.parametrize("value", ["number", "formula", "text"])
def test_a_spreadsheet_of_calc_in_its_own_format(value: str) -> None:
    def of(kind: str, shown: str, more: str = "") -> str:
        about = f'{more}office:value-type="{kind}" {shown}'
        return f"<table:table-cell {about}><text:p>as shown</text:p></table:table-cell>"

    rows = [
        "".join(
            f'<table:table-cell office:value-type="string"><text:p>{name}</text:p></table:table-cell>'
            for name in "tv"
        )
    ]
    for moment, x in zip(TIMES, KWH, strict=True):
        cell = {
            "number": of("float", f'office:value="{x}"'),
            "formula": of("float", f'office:value="{x}"', 'table:formula="of:=[.D1]*2" '),
            "text": f'<table:table-cell office:value-type="string"><text:p>{x}</text:p></table:table-cell>',
        }[value]
        rows.append(of("date", f'office:date-value="{moment:%Y-%m-%dT%H:%M:%S}"') + cell)
    native, reasons = read(calc_ods(rows), PLAIN, "a.ods")
    assert reasons == []
    assert_right(native)


def test_what_a_spreadsheet_repeats_without_end_is_refused() -> None:
    rows = ['<table:table-cell office:value-type="string"><text:p>t</text:p></table:table-cell>'] * 2
    bomb = calc_ods(
        [*rows, '<table:table-cell table:number-columns-repeated="16000" office:value-type="float" office:value="1"/>'
         '</table:table-row><table:table-row table:number-rows-repeated="1000000"><table:table-cell '
         'table:number-columns-repeated="16000" office:value-type="float" office:value="1"/>'
         "</table:table-row><table:table-row>"]
    )  # fmt: skip
    native, reasons = read(bomb, {**PLAIN, **ONE}, "a.ods")
    assert native.empty and "the Excel workbook" in reasons[0]

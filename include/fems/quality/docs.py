"""Great Expectations' own Data Docs page of an evaluation, as one file that needs no other host."""

import re
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np

_REMOTE = re.compile(
    r"<script\b[^>]*\bsrc=[\"']https?:[^>]*>\s*</script>|<(?:link|img)\b[^>]*\b(?:href|src)=[\"']https?:[^>]*>",
    re.I,
)
_STYLE = r"""<style>
body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;margin:0 auto;max-width:72rem;padding:1rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
td,th{border:1px solid #d5dbe1;padding:.35rem .6rem;text-align:left;vertical-align:top}
.badge{padding:.1rem .4rem;border-radius:.3rem;background:#e8edf2}
.popover,.modal,.ge-walkthrough-modal,nav .navbar-toggler,.cooltip{display:none}
footer,.breadcrumb a,.ge-cta-footer,#ge-cta-footer,input[type=radio],input[type=radio]+label{display:none}
.fa-check-circle:before{content:"\2713"}.fa-times:before,.fa-times-circle:before{content:"\2717"}
.fa-exclamation-triangle:before{content:"!"}
.text-success{color:#1a7f37}.text-danger{color:#b42318}.text-warning{color:#9a6700}
ul{padding-left:1.2rem}.list-unstyled,.nav{list-style:none;padding-left:0}
</style>"""


def page(result: Any, run_name: str, evaluated_at: datetime) -> str:
    """Render a validation result as Great Expectations does, without scripts, styles and pictures from elsewhere.

    Args:
        result: Great Expectations' own result.
        run_name: which run made it.
        evaluated_at: when.
    """
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    for each in result.results:
        # its renderer knows Python's numbers only
        value = each.result.get("observed_value")
        each.result["observed_value"] = value.item() if isinstance(value, np.generic) else value
    result.meta["run_id"] = {"run_name": run_name, "run_time": evaluated_at.isoformat()}
    content = ValidationResultsPageRenderer(run_info_at_end=True).render(result)
    html = _REMOTE.sub("", _view().render(content))
    return html.replace("</head>", _STYLE + "</head>", 1)


@cache
def _view() -> Any:
    """Return Great Expectations' view: making it compiles all of its templates, and takes longer than many pages."""
    from great_expectations.render.view import DefaultJinjaPageView

    return DefaultJinjaPageView()

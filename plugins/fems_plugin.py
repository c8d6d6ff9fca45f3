"""What Airflow loads: the platform's pages, its door, its entry in the menu, its links, and what it calls of ours."""

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from fems_airflow import run_notes, task_process
from fems_airflow.door import middlewares
from fems_airflow.links import QUALITY_PATH, QualityLink, ReportLink
from fems_airflow.pages import PREFIX, app


class FemsPlugin(AirflowPlugin):
    """FEMS Forecast in Airflow's UI."""

    name = "fems"
    fastapi_apps: ClassVar = [{"app": app, "url_prefix": PREFIX, "name": "FEMS Forecast"}]
    fastapi_root_middlewares: ClassVar = middlewares()
    external_views: ClassVar = [
        {"name": "Plant", "href": f"{PREFIX}/", "destination": "nav", "url_route": "fems-plant"},
        {"name": "Quality", "href": QUALITY_PATH, "destination": "nav", "url_route": "fems-quality"},
        {"name": "Operations", "href": f"{PREFIX}/health", "destination": "nav", "url_route": "fems-health"},
    ]
    operator_extra_links: ClassVar = [QualityLink(), ReportLink()]
    listeners: ClassVar = [run_notes, task_process]

"""How the platform's Dags last ran, from Airflow's own database: in its API server alone."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fems.views.health import DagHealth

TAG = "fems"


def last_runs() -> "list[DagHealth]":
    """Return, for each Dag of the platform, how its last run that ended did, and when the last good one ended."""
    from airflow.models.dag import DagModel, DagTag
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    from fems.views.health import DagHealth

    with create_session() as session:
        dags = session.scalars(
            select(DagModel.dag_id)
            .join(DagTag, DagTag.dag_id == DagModel.dag_id)
            .where(DagTag.name == TAG, DagModel.is_stale.is_(False))
            .order_by(DagModel.dag_id)
        ).all()
        ended = DagRun.end_date.is_not(None)
        good = dict(
            session.execute(
                select(DagRun.dag_id, func.max(DagRun.end_date))
                .where(DagRun.dag_id.in_(dags), DagRun.state == "success", ended)
                .group_by(DagRun.dag_id)
            ).all()
        )
        newest = (
            select(DagRun.dag_id, func.max(DagRun.end_date).label("at"))
            .where(DagRun.dag_id.in_(dags), ended)
            .group_by(DagRun.dag_id)
            .subquery()
        )
        states = dict(
            session.execute(
                select(DagRun.dag_id, DagRun.state).join(
                    newest, (DagRun.dag_id == newest.c.dag_id) & (DagRun.end_date == newest.c.at)
                )
            ).all()
        )
    return [DagHealth(dag_id, states.get(dag_id), good.get(dag_id)) for dag_id in dags]

"""Every setting of the models, architecture included, by name: what a run in MLflow shows of them."""

from fems.model.month_ahead import band, experts, features, gate, mstl, shares, trees
from fems.model.month_ahead import train as month_ahead
from fems.model.month_ahead.gate_inference import about_shipped_gate
from fems.model.one_step import train as one_step

Parameters = dict[str, str | int | float]


def hyperparameters() -> Parameters:
    """Return what is fixed in the code; a change of it changes the code's fingerprint, too."""
    return {
        "one_step.architecture": f"LSTM({one_step.UNITS}), Dense(1)",
        "one_step.batch": one_step.BATCH,
        "one_step.window": one_step.WINDOW,
        "one_step.learning_rate": one_step.LEARNING_RATE,
        "one_step.most_steps": one_step.MOST_STEPS,
        "one_step.patience": one_step.PATIENCE,
        "one_step.validation_share": one_step.VALIDATION_SHARE,
        "gate.architecture": f"LSTM({gate.UNITS}) over {features.ENCODER_DAYS} days, "
        f"LSTM({gate.UNITS}) over {features.DECODER_DAYS}, Dense({len(experts.NAMES)}), softmax",
        "gate.dropout": gate.DROPOUT,
        "gate.learning_rate": gate.LEARNING_RATE,
        "gate.weight_decay": gate.WEIGHT_DECAY,
        "gate.patience": gate.PATIENCE,
        "gate.trust_where_it_earns": month_ahead.TRUST,
        **{f"gate.{name}": value for name, value in about_shipped_gate().items()},
        "experts.count": len(experts.NAMES),
        "experts.steady_share": month_ahead.STEADY_SHARE,
        "memory_days": features.MEMORY_DAYS,
        "origins.every_days": month_ahead.ORIGIN_EVERY_DAYS,
        "origins.most": month_ahead.MOST_ORIGINS,
        "shares.trees": shares.OF_MACHINES.trees,
        "shares.mstl": shares.OF_MACHINES.mstl,
        "shares.trees_of_one_meter": shares.OF_ONE_METER.trees,
        "shares.mstl_of_one_meter": shares.OF_ONE_METER.mstl,
        "shares.power": shares.POWER,
        "trees.features": len(trees.FEATURES),
        "mstl.days": mstl.DAYS,
        "band.low": band.LOW,
        "band.high": band.HIGH,
        "band.level_ratio": band.LEVEL_RATIO,
        "band.level_months": band.LEVEL_MONTHS,
        "band.width": band.WIDTH,
    }

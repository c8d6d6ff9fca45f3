"""A believable plant: the raw files of its collectors, the truth behind them, and their faults."""

from fems.simulate.faults import FAULT_KINDS, FaultRates
from fems.simulate.run import FactoryReport, SimulationReport, simulate

__all__ = ["FAULT_KINDS", "FactoryReport", "FaultRates", "SimulationReport", "simulate"]

"""How well processing finds the simulator's faults, leaves sound values alone and fills gaps."""

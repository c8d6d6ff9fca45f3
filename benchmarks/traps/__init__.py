"""How well failed steam traps are found: on simulated causes, with the truth kept aside."""

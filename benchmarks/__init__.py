"""What `make bench` measures, and the peers it measures against. All data is simulated."""

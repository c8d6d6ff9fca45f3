"""What `make bench` measures, and the peer it measures against. All data is simulated."""

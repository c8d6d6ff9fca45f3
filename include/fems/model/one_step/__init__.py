"""The study's protocol: the next interval from measured inputs."""

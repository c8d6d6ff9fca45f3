"""Quality evaluation (품질평가): Great Expectations suites decide what may be published."""

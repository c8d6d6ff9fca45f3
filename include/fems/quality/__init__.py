"""Quality evaluation (품질평가): Great Expectations suites decide what may be published."""

import logging

# While it is imported Great Expectations logs 217 lines, which would bury what a task says of itself.
logging.getLogger("great_expectations").setLevel(logging.WARNING)

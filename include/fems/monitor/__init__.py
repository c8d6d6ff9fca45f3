"""What became of the forecasts, whether a model still fits its factory, and who is told in which words."""

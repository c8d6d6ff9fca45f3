"""The report: a self-contained page a factory and month, Korean and English, and the same as a workbook."""

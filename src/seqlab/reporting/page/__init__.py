"""The report: one HTML page that opens offline, of reference results and of runs."""

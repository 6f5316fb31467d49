"""Metrics, named by how outputs are computed (teacher-forced or free-running), and the leakage between splits."""

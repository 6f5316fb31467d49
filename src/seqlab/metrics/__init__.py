"""Metrics, named by how they were computed: teacher-forced or free-running."""

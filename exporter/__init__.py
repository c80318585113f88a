"""Prometheus exporter for the MFA registration reports of Microsoft Entra ID."""

__version__ = "1.0.0"

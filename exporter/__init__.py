"""Prometheus exporter for the MFA registration reports of Microsoft Entra ID."""

__version__ = "0.1.0"

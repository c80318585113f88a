"""The national clouds: where Graph and Entra live.

Source: Microsoft Graph documentation, "National cloud deployments".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cloud:
    """A deployment of Microsoft 365: `graph` and `authority` are https origins without a path."""

    name: str
    graph: str
    authority: str

    @property
    def scope(self) -> str:
        """The scope that a token for this cloud's Graph is asked with."""
        return f"{self.graph}/.default"


CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud("global", "https://graph.microsoft.com", "https://login.microsoftonline.com"),
        Cloud("us_gov_l4", "https://graph.microsoft.us", "https://login.microsoftonline.us"),
        Cloud("us_gov_l5", "https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
        Cloud("china", "https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"),
    )
}

"""Entra's token endpoint and the two identity endpoints of Azure's machines, as azure-identity calls them.

Sources: Microsoft identity platform, "client credentials flow"; App Service, "REST endpoint reference" of managed
identities; Azure virtual machines, "Instance Metadata Service".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporter.simulator.answers import Answer, Refusal, json_answer
from exporter.simulator.assertions import authenticate, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.simulator.tenant import SimulatedApp, SimulatedTenant
    from exporter.simulator.tokens import IssuedToken, TokenTable


class Entra:
    """The identity service of all simulated tenants. `now` is the service's own time, seconds since the epoch.

    `tenants` is by tenant id and shared with whoever made this: a tenant put there exists from then on.
    """

    def __init__(
        self,
        *,
        tenants: Mapping[str, SimulatedTenant],
        tokens: TokenTable,
        now: Callable[[], float],
        audiences: Callable[[], Sequence[str]],
        identity_header: str,
    ) -> None:
        self._tenants = tenants
        self._tokens = tokens
        self._now = now
        self._audiences = audiences
        self._identity_header = identity_header

    def token(self, origin: str, tenant_id: str, form: Mapping[str, str]) -> Answer:
        """Answer `POST /{tenant}/oauth2/v2.0/token`. Raises Refusal."""
        tenant = self._tenant(tenant_id)
        if form.get("grant_type") != "client_credentials":
            raise refuse(70003, "unsupported_grant_type", "The grant type is not supported here.", 400)
        app = tenant.app(form.get("client_id", ""))
        if app is None:
            raise refuse(700016, "unauthorized_client", "The application was not found in the tenant.", 400)
        authenticate(app, form, f"{origin}/{tenant_id}/oauth2/v2.0/token")
        audience, _, suffix = form.get("scope", "").rpartition("/")
        if suffix != ".default":
            raise refuse(1002012, "invalid_scope", "The scope must be a resource followed by /.default.", 400)
        token = self._issue(tenant, app, audience)
        seconds = int(self._tokens.lifetime)
        return json_answer(
            {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token.text},
            Cache_Control="no-store, no-cache",
        )

    def openid_configuration(self, origin: str, tenant_id: str) -> Answer:
        """Answer `GET /{tenant}/v2.0/.well-known/openid-configuration`. Raises Refusal."""
        base = f"{origin}/{self._tenant(tenant_id).tenant_id}"
        return json_answer(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
            }
        )

    def instance_discovery(self, origin: str) -> Answer:
        """Answer `GET /common/discovery/instance`."""
        host = origin.partition("://")[2]
        return json_answer(
            {
                "tenant_discovery_endpoint": f"{origin}/common/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
            }
        )

    def app_service_identity(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Answer:
        """Answer App Service's `GET $IDENTITY_ENDPOINT`. Raises Refusal."""
        if headers.get("X-IDENTITY-HEADER") != self._identity_header:
            raise Refusal(json_answer({"statusCode": 401, "message": "The identity header is missing or wrong."}, 401))
        return json_answer(self._machine_token(query))

    def imds_identity(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Answer:
        """Answer the Instance Metadata Service. Raises Refusal."""
        if headers.get("Metadata", "").lower() != "true":
            body = {"error": "invalid_request", "error_description": "The Metadata header is required."}
            raise Refusal(json_answer(body, 400))
        return json_answer({**self._machine_token(query), "expires_in": str(int(self._tokens.lifetime))})

    def _machine_token(self, query: Mapping[str, str]) -> dict[str, str]:
        wanted = query.get("client_id")
        found = (
            (tenant, app)
            for tenant in self._tenants.values()
            for app in tenant.apps
            if app.managed_identity and wanted in {None, app.client_id}
        )
        tenant, app = next(found, (None, None))
        if tenant is None or app is None:
            body = {"error": "invalid_request", "error_description": "Identity not found"}
            raise Refusal(json_answer(body, 400))
        resource = query.get("resource", "")
        token = self._issue(tenant, app, resource)
        # Numbers as strings, as these endpoints have them. Clients compare `expires_on` with the machine's clock.
        now = int(time.time())
        return {
            "access_token": token.text,
            "client_id": app.client_id,
            "expires_on": str(now + int(self._tokens.lifetime)),
            "not_before": str(now),
            "resource": resource,
            "token_type": "Bearer",
        }

    def _tenant(self, tenant_id: str) -> SimulatedTenant:
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            raise refuse(90002, "invalid_request", "The tenant was not found.", 400)
        return tenant

    def _issue(self, tenant: SimulatedTenant, app: SimulatedApp, audience: str) -> IssuedToken:
        if audience.rstrip("/") not in self._audiences():
            raise refuse(500011, "invalid_resource", "The resource was not found in the tenant.", 400)
        return self._tokens.issue(
            tenant_id=tenant.tenant_id,
            client_id=app.client_id,
            audience=audience,
            now=self._now(),
            roles=tenant.roles(app),
        )

"""Schemas of objects that Kubernetes itself does not have: the fields that their documentation names and we use.

A field that is not here is a slip of the pen until somebody has looked it up and adds it.
"""

from typing import Any, Final

TEXT: Final = {"type": "string", "minLength": 1}
NUMBER: Final = {"type": "integer", "minimum": 0}
SECONDS: Final = {"type": "string", "pattern": r"^[0-9]+s$"}
LABELS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
SELECTOR: Final = {
    "type": "object",
    "properties": {"matchLabels": LABELS, "matchExpressions": {"type": "array"}},
    "additionalProperties": False,
}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": sorted(required),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


def _named(*kinds: str) -> dict[str, Any]:
    return _object({"kind": {"enum": list(kinds)}, "name": TEXT}, {"group": {"type": "string"}, "apiVersion": TEXT})


POD_MONITORING: Final = _object(
    {
        "selector": SELECTOR,
        "endpoints": _list(_object({"port": TEXT, "interval": SECONDS}, {"path": TEXT, "timeout": SECONDS})),
    },
    {"targetLabels": _object({}, {"fromPod": _list(_object({"from": TEXT}, {"to": TEXT}))})},
)
SCALED_OBJECT: Final = _object(
    {
        "scaleTargetRef": _named("Deployment"),
        "triggers": _list(
            _object(
                {
                    "type": {"const": "prometheus"},
                    "metadata": _object(
                        {"serverAddress": TEXT, "query": TEXT, "threshold": TEXT},
                        {"activationThreshold": TEXT, "ignoreNullValues": {"enum": ["true", "false"]}},
                    ),
                },
                {"metricType": {"enum": ["AverageValue", "Value"]}, "authenticationRef": _object({"name": TEXT})},
            )
        ),
    },
    {
        "pollingInterval": NUMBER,
        "cooldownPeriod": NUMBER,
        "minReplicaCount": NUMBER,
        "maxReplicaCount": NUMBER,
        "fallback": _object(
            {"failureThreshold": NUMBER, "replicas": NUMBER},
            {
                "behavior": {
                    "enum": ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"],
                }
            },
        ),
        "advanced": _object({"horizontalPodAutoscalerConfig": _object({"behavior": {"type": "object"}})}),
    },
)
GATEWAY: Final = _object(
    {
        "gatewayClassName": {"const": "gke-l7-global-external-managed"},
        "listeners": _list(
            _object(
                {"name": TEXT, "protocol": {"const": "HTTPS"}, "port": {"const": 443}},
                {"allowedRoutes": {"type": "object"}},
            )
        ),
    },
    {"addresses": _list(_object({"type": {"const": "NamedAddress"}, "value": TEXT}))},
)
HTTP_ROUTE: Final = _object(
    {
        "parentRefs": _list(_object({"kind": {"const": "Gateway"}, "name": TEXT}, {"sectionName": TEXT})),
        "rules": _list(
            _object(
                {
                    "matches": _list(
                        _object({"path": _object({"type": {"enum": ["PathPrefix", "Exact"]}, "value": TEXT})})
                    ),
                    "backendRefs": _list(_object({"name": TEXT, "port": NUMBER})),
                }
            )
        ),
    }
)
HEALTH_CHECK_POLICY: Final = _object(
    {
        "targetRef": _named("Service"),
        "default": _object(
            {
                "config": _object(
                    {"type": {"const": "HTTP"}, "httpHealthCheck": _object({"port": NUMBER, "requestPath": TEXT})}
                )
            },
            {
                "checkIntervalSec": NUMBER,
                "timeoutSec": NUMBER,
                "healthyThreshold": NUMBER,
                "unhealthyThreshold": NUMBER,
            },
        ),
    }
)
BACKEND_POLICY: Final = _object(
    {
        "targetRef": _named("Service"),
        "default": _object(
            {},
            {
                "timeoutSec": NUMBER,
                "securityPolicy": TEXT,
                "connectionDraining": _object({"drainingTimeoutSec": NUMBER}),
                "logging": _object({"enabled": {"type": "boolean"}}, {"sampleRate": NUMBER}),
            },
        ),
    }
)
SECRET_PROVIDER_CLASS: Final = _object({"provider": {"const": "gke"}, "parameters": _object({"secrets": TEXT})})

CRDS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("monitoring.googleapis.com/v1", "PodMonitoring"): POD_MONITORING,
    ("keda.sh/v1alpha1", "ScaledObject"): SCALED_OBJECT,
    ("keda.sh/v1alpha1", "TriggerAuthentication"): _object({"podIdentity": _object({"provider": {"const": "gcp"}})}),
    ("gateway.networking.k8s.io/v1", "Gateway"): GATEWAY,
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): HTTP_ROUTE,
    ("networking.gke.io/v1", "HealthCheckPolicy"): HEALTH_CHECK_POLICY,
    ("networking.gke.io/v1", "GCPBackendPolicy"): BACKEND_POLICY,
    ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"): SECRET_PROVIDER_CLASS,
}
"""The schema of ``spec``, by version and kind."""

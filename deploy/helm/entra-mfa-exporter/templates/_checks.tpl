{{/* What the schema cannot say: values that contradict each other, each told in a sentence. */}}
{{- define "exporter.checks" -}}
{{- $given := list }}
{{- if .Values.demo }}{{ $given = append $given "demo" }}{{ end }}
{{- if .Values.config }}{{ $given = append $given "config" }}{{ end }}
{{- if .Values.existingConfig.configMap }}{{ $given = append $given "existingConfig.configMap" }}{{ end }}
{{- if .Values.existingConfig.secret }}{{ $given = append $given "existingConfig.secret" }}{{ end }}
{{- if gt (len $given) 1 }}
{{- fail (printf "Only one of these can say what is polled: %s." (join ", " $given)) }}
{{- end }}
{{- if not (or $given .Values.workloadIdentity.enabled .Values.env .Values.envFrom) }}
{{- fail "Nothing says what to poll: set config, existingConfig, workloadIdentity.enabled, env or envFrom; or demo=true to look around." }}
{{- end }}
{{- if and .Values.demo .Values.sharding }}
{{- fail "The demo has no shards: set sharding=false." }}
{{- end }}
{{- if and .Values.prometheusRule.enabled (not (contains "entra" (include "exporter.name" .))) }}
{{- fail "The alerts take every job with `entra` in its name for the exporter: choose a nameOverride that has it." }}
{{- end }}
{{- if and (eq .Values.web.scheme "https") (not .Values.web.configSecret) }}
{{- fail "web.scheme is https, and no web.configSecret turns TLS on." }}
{{- end }}
{{- end }}

{{/* What the schema cannot say: values that contradict each other, each in a sentence. */}}
{{- define "exporter.checks" -}}
{{- include "exporter.checks.polled" . }}
{{- include "exporter.checks.secrets" . }}
{{- include "exporter.checks.flags" . }}
{{- include "exporter.checks.names" . }}
{{- include "exporter.checks.strategy" . }}
{{- if and .Values.prometheusRule.enabled (not (contains "entra" (include "exporter.name" .))) }}
{{- fail "The alerts take every job with `entra` in its name for the exporter: choose a nameOverride that has it." }}
{{- end }}
{{- if and (eq .Values.web.scheme "https") (not .Values.web.configSecret) }}
{{- fail "web.scheme is https, and no web.configSecret turns TLS on." }}
{{- end }}
{{- $interval := include "exporter.seconds" .Values.serviceMonitor.interval | float64 }}
{{- if gt (include "exporter.seconds" .Values.serviceMonitor.scrapeTimeout | float64) $interval }}
{{- fail "serviceMonitor.scrapeTimeout is longer than serviceMonitor.interval: Prometheus refuses such a job." }}
{{- end }}
{{- if gt $interval 240.0 }}
{{- fail "serviceMonitor.interval is longer than 4m: Prometheus would take the series for gone between two scrapes." }}
{{- end }}
{{- end }}

{{- define "exporter.checks.polled" -}}
{{- if and .Values.demo .Values.persistence.enabled }}
{{- fail "The demo keeps nothing over a restart: set persistence.enabled=false." }}
{{- end }}
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
{{- if and .Values.sharding (gt (int .Values.replicas) 61) }}
{{- fail (printf "%v shards cannot keep Microsoft's limit of requests for one application: set replicas to 61 at most." .Values.replicas) }}
{{- end }}
{{- end }}

{{/* The configuration becomes a ConfigMap, which whoever may read the namespace can read. */}}
{{- define "exporter.checks.secrets" -}}
{{- range $path, $credential := include "exporter.credentials" . | fromYaml }}
{{- if $credential.client_secret }}
{{- fail (printf "config.%s.client_secret is a secret, and config becomes a ConfigMap: put it into a Secret, name that in `secrets`, and its file in client_secret_file." $path) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The credentials in `config`, by their path. */}}
{{- define "exporter.credentials" -}}
{{- $config := default dict .Values.config }}
{{- $found := dict }}
{{- range $key := list "defaults" "discover" }}
{{- with get $config $key }}{{ with .credential }}{{ $_ := set $found (printf "%s.credential" $key) . }}{{ end }}{{ end }}
{{- end }}
{{- range $index, $tenant := $config.tenants }}
{{- with $tenant.credential }}{{ $_ := set $found (printf "tenants[%d].credential" $index) . }}{{ end }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{/* Flags that a value sets, in extraArgs or as a variable: the probes, ports and objects follow the value alone. */}}
{{- define "exporter.checks.flags" -}}
{{- $values := dict "web.listen-address" "web.port" "web.telemetry-path" "web.telemetryPath" "web.config.file" "web.configSecret" }}
{{- $values = merge $values (dict "config.file" "config or existingConfig" "shard" "sharding" "total-shards" "replicas") }}
{{- $values = merge $values (dict "log.level" "log.level" "log.format" "log.format" "storage.path" "persistence") }}
{{- range $flag, $value := $values }}
{{- range $.Values.extraArgs }}
{{- if eq (. | splitList "=" | first) (printf "--%s" $flag) }}
{{- fail (printf "extraArgs has --%s: set %s instead." $flag $value) }}
{{- end }}
{{- end }}
{{- $variable := printf "ENTRA_EXPORTER_%s" ($flag | upper | replace "." "_" | replace "-" "_") }}
{{- range $.Values.env }}
{{- if eq (toString .name) $variable }}{{ fail (printf "env has %s: set %s instead." $variable $value) }}{{ end }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
{{- if and $.Values.demo (not (hasPrefix "--web." .)) }}{{ fail (printf "The demo does not take %s." .) }}{{ end }}
{{- end }}
{{- if or .Values.config .Values.existingConfig.configMap .Values.existingConfig.secret }}
{{- range .Values.extraArgs }}
{{- if regexMatch "^--(poll\\.interval|poll\\.sources|entra\\.cloud)\\b" . }}
{{- fail (printf "extraArgs has %s, which is for the one tenant of the environment: a configuration says it under `defaults`." .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Names that would stand twice in the pod. */}}
{{- define "exporter.checks.names" -}}
{{- $volumes := append (include "exporter.volumes" . | fromYamlArray) (dict "name" (ternary "reports" "" .Values.persistence.enabled)) }}
{{- $containers := concat (list (dict "name" "exporter")) (default list .Values.initContainers) (default list .Values.extraContainers) }}
{{- range $kind, $things := dict "volumes" $volumes "containers" $containers "variables" (default list .Values.env) }}
{{- $names := list }}
{{- range $things }}{{ $names = append $names (toString .name) }}{{ end }}
{{- range $name := $names | uniq }}
{{- $left := without $names $name }}
{{- if lt (add1 (len $left)) (len $names) }}
{{- fail (printf "Two %s of the pod have the name %s: choose another one." $kind $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "exporter.checks.strategy" -}}
{{- with .Values.strategy }}
{{- $kind := include "exporter.kind" $ }}
{{- $fits := ternary (list "RollingUpdate" "OnDelete") (list "RollingUpdate" "Recreate") (eq $kind "StatefulSet") }}
{{- if and .type (not (has .type $fits)) }}
{{- fail (printf "strategy.type is %s, and a %s has %s." .type $kind (join " and " $fits)) }}
{{- end }}
{{- if and (eq $kind "StatefulSet") .rollingUpdate (hasKey (default dict .rollingUpdate) "maxSurge") }}
{{- fail "strategy.rollingUpdate.maxSurge: a StatefulSet has no surge; a pod goes before its successor comes." }}
{{- end }}
{{- end }}
{{- end }}

{{/* The seconds of a Prometheus duration, such as 1m30s. */}}
{{- define "exporter.seconds" -}}
{{- $seconds := 0.0 }}
{{- $units := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 "w" 604800.0 "y" 31536000.0 }}
{{- range regexFindAll "[0-9]+(ms|[ywdhms])" . -1 }}
{{- $seconds = addf $seconds (mulf (regexFind "^[0-9]+" .) (get $units (regexFind "[a-z]+$" .))) }}
{{- end }}
{{- $seconds }}
{{- end }}

{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of every object. A Service takes no dots and begins with a letter; a StatefulSet, its pods and "-shards"
need room after it. What is too long is cut and gets a digest, so that two long names stay two. */}}
{{- define "exporter.fullname" -}}
{{- $name := include "exporter.name" . }}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- $full := default $release .Values.fullnameOverride | replace "." "-" }}
{{- if not (regexMatch "^[a-z]" $full) }}{{ $full = printf "r%s" $full }}{{ end }}
{{- if gt (len $full) 40 }}{{ $full = printf "%s-%s" ($full | trunc 31) (sha256sum $full | trunc 8) }}{{ end }}
{{- regexReplaceAll "-+$" $full "" }}
{{- end }}

{{/* The address of one pod has no cluster IP, and that of a Service cannot be changed: so the shards have their own. */}}
{{- define "exporter.serviceName" -}}
{{- include "exporter.fullname" . }}{{ if .Values.sharding }}-shards{{ end }}
{{- end }}

{{- define "exporter.serviceAccountName" -}}
{{- $made := ternary (include "exporter.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $made .Values.serviceAccount.name }}
{{- end }}

{{- define "exporter.kind" -}}
{{- ternary "StatefulSet" "Deployment" (or .Values.sharding .Values.persistence.enabled) }}
{{- end }}

{{- define "exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* The labels of an object: (list . labels…). A label of the values replaces one of the chart, never one of the selector. */}}
{{- define "exporter.labels" -}}
{{- $root := first . }}
{{- $labels := dict "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") }}
{{- $labels = mergeOverwrite $labels (deepCopy (default dict $root.Values.commonLabels)) }}
{{- range rest . }}{{ $labels = mergeOverwrite $labels (deepCopy (default dict .)) }}{{ end }}
{{- toYaml (mergeOverwrite $labels (include "exporter.selectorLabels" $root | fromYaml)) }}
{{- end }}

{{- define "exporter.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

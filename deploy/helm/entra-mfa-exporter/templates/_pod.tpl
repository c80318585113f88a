{{/* The pod of both the Deployment and the StatefulSet. */}}
{{- define "exporter.pod" -}}
{{- $identity := dict }}
{{- if .Values.workloadIdentity.enabled }}{{ $identity = dict "azure.workload.identity/use" "true" }}{{ end -}}
metadata:
  labels:
    {{- include "exporter.labels" (list . .Values.podLabels $identity) | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "exporter.serviceAccountName" . }}
  # It never speaks to the Kubernetes API. A token for Entra is mounted all the same, by workload identity's webhook.
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml (default dict .Values.podSecurityContext) | nindent 4 }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- range $key := list "imagePullSecrets" "hostAliases" "dnsConfig" "initContainers" "nodeSelector" "affinity" "tolerations" "topologySpreadConstraints" }}
  {{- with get $.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - name: exporter
      image: {{ include "exporter.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- include "exporter.arguments" . | nindent 8 }}
      {{- if or .Values.sharding .Values.env }}
      env:
        {{- if .Values.sharding }}
        - name: POD_INDEX
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['apps.kubernetes.io/pod-index']
        {{- end }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ .Values.web.port }}
          protocol: TCP
      livenessProbe:
        {{- include "exporter.probe" (dict "values" .Values "path" "/-/healthy") | nindent 8 }}
        {{- with .Values.probes.liveness }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      readinessProbe:
        {{- include "exporter.probe" (dict "values" .Values "path" "/-/ready") | nindent 8 }}
        {{- with .Values.probes.readiness }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml (default dict .Values.securityContext) | nindent 8 }}
      {{- with include "exporter.mounts" . | trim }}
      volumeMounts:
        {{- . | nindent 8 }}
      {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with include "exporter.volumes" . | trim }}
  volumes:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "exporter.arguments" -}}
- {{ ternary "demo" "serve" .Values.demo }}
{{- if .Values.config }}
- --config.file=/etc/entra-mfa-exporter/config/exporter.yml
{{- else if or .Values.existingConfig.configMap .Values.existingConfig.secret }}
- --config.file=/etc/entra-mfa-exporter/config/{{ .Values.existingConfig.key }}
{{- end }}
- --web.listen-address=:{{ .Values.web.port }}
- --web.telemetry-path={{ .Values.web.telemetryPath }}
{{- if .Values.web.configSecret }}
- --web.config.file=/etc/entra-mfa-exporter/web/{{ .Values.web.configKey }}
{{- end }}
{{- if .Values.sharding }}
- --shard=$(POD_INDEX)
- --total-shards={{ .Values.replicas }}
{{- end }}
{{- if not .Values.demo }}
- --storage.path=/var/lib/entra-mfa-exporter
{{- end }}
- --log.level={{ .Values.log.level }}
- --log.format={{ .Values.log.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "exporter.probe" -}}
{{- if eq .values.probes.handler "tcpSocket" -}}
tcpSocket: {port: http}
{{- else -}}
httpGet: {path: {{ .path }}, port: http, scheme: {{ upper .values.web.scheme }}}
{{- end }}
{{- end }}

{{/* Whole directories, never a subPath: only so does a changed ConfigMap or Secret reach a running pod. */}}
{{- define "exporter.mounts" -}}
{{- if or .Values.config .Values.existingConfig.configMap .Values.existingConfig.secret }}
- {name: config, mountPath: /etc/entra-mfa-exporter/config, readOnly: true}
{{- end }}
{{- range $index, $name := .Values.secrets }}
- {name: secret-{{ $index }}, mountPath: /etc/entra-mfa-exporter/secrets/{{ $name }}, readOnly: true}
{{- end }}
{{- if .Values.web.configSecret }}
- {name: web, mountPath: /etc/entra-mfa-exporter/web, readOnly: true}
{{- end }}
{{- if .Values.demo }}
- {name: tmp, mountPath: /tmp}
{{- else }}
- {name: reports, mountPath: /var/lib/entra-mfa-exporter}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "exporter.volumes" -}}
{{- if .Values.config }}
- name: config
  configMap: {name: {{ include "exporter.fullname" . }}}
{{- else if .Values.existingConfig.configMap }}
- name: config
  configMap: {name: {{ .Values.existingConfig.configMap }}}
{{- else if .Values.existingConfig.secret }}
- name: config
  secret: {secretName: {{ .Values.existingConfig.secret }}, defaultMode: 0440}
{{- end }}
{{- range $index, $name := .Values.secrets }}
- name: secret-{{ $index }}
  secret: {secretName: {{ $name }}, defaultMode: 0440}
{{- end }}
{{- with .Values.web.configSecret }}
- name: web
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- if .Values.demo }}
- name: tmp
  emptyDir: {sizeLimit: 1Mi}
{{- else if not .Values.persistence.enabled }}
- name: reports
  emptyDir: {sizeLimit: 1Gi}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The pod of both the Deployment and the StatefulSet. */}}
{{- define "exporter.pod" -}}
{{- $configured := or .Values.config .Values.existingConfig.configMap .Values.existingConfig.secret -}}
metadata:
  labels:
    {{- include "exporter.labels" . | nindent 4 }}
    {{- if .Values.workloadIdentity.enabled }}
    azure.workload.identity/use: "true"
    {{- end }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
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
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: exporter
      image: {{ include "exporter.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - {{ ternary "demo" "serve" .Values.demo }}
        {{- if $configured }}
        - --config.file=/etc/entra-mfa-exporter/config/{{ ternary "exporter.yml" .Values.existingConfig.key (not (empty .Values.config)) }}
        {{- end }}
        {{- if .Values.web.configSecret }}
        - --web.config.file=/etc/entra-mfa-exporter/web/{{ .Values.web.configKey }}
        {{- end }}
        {{- if .Values.sharding }}
        - --shard=$(POD_INDEX)
        - --total-shards={{ .Values.replicas }}
        {{- end }}
        - --log.level={{ .Values.log.level }}
        - --log.format={{ .Values.log.format }}
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
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
          containerPort: 10088
          protocol: TCP
      livenessProbe:
        {{- include "exporter.probe" (dict "values" .Values "path" "/-/healthy") | nindent 8 }}
        {{- toYaml .Values.probes.liveness | nindent 8 }}
      readinessProbe:
        {{- include "exporter.probe" (dict "values" .Values "path" "/-/ready") | nindent 8 }}
        {{- toYaml .Values.probes.readiness | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      {{- with include "exporter.mounts" . | trim }}
      volumeMounts:
        {{- . | nindent 8 }}
      {{- end }}
  {{- with include "exporter.volumes" . | trim }}
  volumes:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
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
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "signalling.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* Labels that select the pods of a component: (list $ "gateway") */}}
{{- define "signalling.selector" -}}
app.kubernetes.io/name: signalling
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "signalling.labels" -}}
{{ include "signalling.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version }}
{{- end }}

{{- define "signalling.natsURL" -}}
{{- if .Values.nats.trial.enabled -}}
nats://{{ include "signalling.name" . }}-nats:4222
{{- else -}}
{{ required "nats.url is not set (nats.trial.enabled=true runs a NATS for trials)" .Values.nats.url }}
{{- end -}}
{{- end }}

{{- /* A pod that has no rights and needs none: Pod Security "restricted". */}}
{{- define "signalling.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "signalling.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "signalling.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 1
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 3
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}

{{- /* Settings of a component's values: env, and the paths of secretFiles. */}}
{{- define "signalling.env" -}}
{{- range $name, $value := .env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range $name, $file := .secretFiles }}
- {name: {{ $name }}, value: {{ printf "/run/secrets/signalling/%s/%s" ($name | lower | replace "_" "-") $file.key | quote }}}
{{- end }}
{{- if dig "limits" "memory" "" .resources }}
- name: GOMEMLIMIT
  valueFrom: {resourceFieldRef: {resource: limits.memory}}
{{- end }}
{{- end }}

{{- define "signalling.mounts" -}}
{{- range $name, $file := .secretFiles }}
- {name: {{ $name | lower | replace "_" "-" }}, mountPath: {{ printf "/run/secrets/signalling/%s" ($name | lower | replace "_" "-") }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "signalling.volumes" -}}
{{- range $name, $file := .secretFiles }}
- name: {{ $name | lower | replace "_" "-" }}
  secret:
    secretName: {{ $file.secret }}
    defaultMode: 0440
    items: [{key: {{ $file.key | quote }}, path: {{ $file.key | quote }}}]
{{- end }}
{{- end }}

{{- /* (list $ "gateway" topologyKeys) */}}
{{- define "signalling.spread" -}}
{{- $selector := include "signalling.selector" (list (index . 0) (index . 1)) }}
{{- range index . 2 }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels:
      {{- $selector | nindent 6 }}
{{- end }}
{{- end }}

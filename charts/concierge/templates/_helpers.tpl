{{- define "concierge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 43 characters, so that every name made of it has at most 63. */}}
{{- define "concierge.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 43 | trimSuffix "-" }}
{{- else if contains (include "concierge.name" .) .Release.Name }}
{{- .Release.Name | trunc 43 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "concierge.name" .) | trunc 43 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The Secret of the certificate authority. */}}
{{- define "concierge.authority" -}}
{{ include "concierge.fullname" . }}-ca
{{- end }}

{{/* The Lease of the replica that reconciles. */}}
{{- define "concierge.lease" -}}
{{ include "concierge.fullname" . }}-reconciler
{{- end }}

{{/* What a chart selects its objects by. */}}
{{- define "concierge.selector" -}}
app.kubernetes.io/name: {{ include "concierge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "concierge.labels" -}}
{{ include "concierge.selector" . }}
app.kubernetes.io/part-of: concierge
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Non-empty when the reconciler runs in the webhook's pod, with its service account. */}}
{{- define "concierge.sidecar" -}}
{{- if and .Values.reconciler.enabled (eq .Values.reconciler.placement "sidecar") }}true{{ end }}
{{- end }}

{{/* Non-empty when the reconciler has pods and a service account of its own. */}}
{{- define "concierge.apart" -}}
{{- if and .Values.reconciler.enabled (eq .Values.reconciler.placement "deployment") }}true{{ end }}
{{- end }}

{{/* Non-empty when the webhook keeps its own certificate authority. */}}
{{- define "concierge.selfSigned" -}}
{{- if eq .Values.certificates.mode "self" }}true{{ end }}
{{- end }}

{{/* Non-empty when only callers with a certificate may call. */}}
{{- define "concierge.clientCA" -}}
{{- if or .Values.webhook.clientCA.configMapName .Values.webhook.clientCA.secretName }}true{{ end }}
{{- end }}

{{/* Non-empty when the webhook reads files. */}}
{{- define "concierge.mounts" -}}
{{- if or (not (include "concierge.selfSigned" .)) (include "concierge.clientCA" .) }}true{{ end }}
{{- end }}

{{- define "concierge.account" -}}
{{ .Values.serviceAccount.name | default (include "concierge.fullname" .) }}
{{- end }}

{{- define "concierge.reconcilerAccount" -}}
{{- if include "concierge.apart" . -}}
{{ .Values.reconciler.serviceAccount.name | default (printf "%s-reconciler" (include "concierge.fullname" .)) }}
{{- else -}}
{{ include "concierge.account" . }}
{{- end }}
{{- end }}

{{- define "concierge.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}
{{- end }}

{{/* Refuses values that contradict each other; those of a wrong shape are refused by values.schema.json. */}}
{{- define "concierge.check" -}}
{{- with .Values }}
{{- if and (not .deploy) (not .service.externalName) }}
{{- fail "deploy: false needs service.externalName: the name at which the API server reaches the binaries that run elsewhere" }}
{{- end }}
{{- if and .deploy .service.externalName }}
{{- fail "service.externalName needs deploy: false: a Service with an external name does not reach pods" }}
{{- end }}
{{- if and (not .serviceAccount.create) (not .serviceAccount.name) }}
{{- fail "serviceAccount.create: false needs serviceAccount.name" }}
{{- end }}
{{- if and (include "concierge.apart" $) (not .reconciler.serviceAccount.create) (not .reconciler.serviceAccount.name) }}
{{- fail "reconciler.serviceAccount.create: false needs reconciler.serviceAccount.name" }}
{{- end }}
{{- if and (include "concierge.apart" $) (eq (include "concierge.account" $) (include "concierge.reconcilerAccount" $)) }}
{{- fail "reconciler.serviceAccount.name must differ from serviceAccount.name: apart from the webhook, the reconciler has rights of its own" }}
{{- end }}
{{- $groups := include "concierge.generated.childGroups" $ }}
{{- range .reconciler.children }}
{{- if not (has . (splitList "," $groups)) }}
{{- fail (printf "reconciler.children: no objects of the group %q own others; groups that do: %s" . ($groups | default "none")) }}
{{- end }}
{{- end }}
{{- range $value := list "commonLabels" "podLabels" }}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/part-of" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" }}
{{- if hasKey (index $.Values $value) $label }}
{{- fail (printf "%s: the label %s is the chart's own: what belongs to the release is found by it" $value $label) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .webhook.clientCA }}
{{- if and .configMapName .secretName }}
{{- fail "webhook.clientCA.configMapName and secretName name the same thing: set one of them" }}
{{- end }}
{{- if and .names (not .configMapName) (not .secretName) }}
{{- fail "webhook.clientCA.names needs webhook.clientCA.configMapName or secretName: names are looked for in certificates that it vouches for" }}
{{- end }}
{{- end }}
{{- if and (include "concierge.sidecar" $) (eq (int .webhook.adminPort) (int .reconciler.adminPort)) }}
{{- fail "webhook.adminPort and reconciler.adminPort must differ: placement sidecar puts both into one pod" }}
{{- end }}
{{- if eq (int .webhook.port) (int .webhook.adminPort) }}
{{- fail "webhook.port and webhook.adminPort must differ" }}
{{- end }}
{{- if include "concierge.selfSigned" $ }}
{{- if or .certificates.secretName .certificates.caBundle .certificates.injectionAnnotations }}
{{- fail "certificates.secretName, caBundle and injectionAnnotations need certificates.mode: directory; in mode self the webhook looks after all of it" }}
{{- end }}
{{- else }}
{{- if not .certificates.secretName }}
{{- fail "certificates.mode: directory needs certificates.secretName: a Secret of type kubernetes.io/tls" }}
{{- end }}
{{- if not (or .certificates.caBundle .certificates.injectionAnnotations) }}
{{- fail "certificates.mode: directory needs certificates.caBundle, or injectionAnnotations for the tool that writes it: the API server has to trust the certificate" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What both kinds of pods have in common. Takes (dict "root" $ "component" NAME). */}}
{{- define "concierge.podSettings" -}}
enableServiceLinks: false
automountServiceAccountToken: true
securityContext:
  runAsNonRoot: true
  {{- with .root.Values.runAsUser }}
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- with .root.Values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
{{- else }}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "concierge.selector" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
{{- end }}
{{- end }}
{{- end }}

{{/* Labels and annotations of a pod. Takes the same. */}}
{{- define "concierge.podMetadata" -}}
labels:
  {{- include "concierge.selector" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What both containers have in common. Takes (dict "root" $ "values" VALUES "admin" PORT-NAME). */}}
{{- define "concierge.containerSettings" -}}
image: {{ include "concierge.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  {{- with .values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.lifecycle }}
lifecycle:
  {{- toYaml . | nindent 2 }}
{{- end }}
startupProbe:
  httpGet:
    path: /healthz
    port: {{ .admin }}
  {{- toYaml .values.startupProbe | nindent 2 }}
livenessProbe:
  httpGet:
    path: /healthz
    port: {{ .admin }}
  {{- toYaml .values.livenessProbe | nindent 2 }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* How rules are set: webhook and reconciler have to judge alike. */}}
{{- define "concierge.ruleArguments" -}}
{{- with .Values.rules -}}
{{- with .enforcement }}
- {{ printf "--enforcement=%s" . | quote }}
{{- end }}
{{- end }}
{{ include "concierge.generated.ruleArguments" . }}
- --catalyst-reserved-namespaces={{ .Release.Namespace }}
{{- end }}

{{/* The RoleBindings that give the reconciler rights in single namespaces: NAMESPACE/NAME,... */}}
{{- define "concierge.keptBindings" -}}
{{- $bindings := list }}
{{- range .Values.reconciler.namespaces }}
{{- $bindings = append $bindings (printf "%s/%s-reconciler" . (include "concierge.fullname" $)) }}
{{- end }}
{{- if not .Values.reconciler.clusterWideSecrets }}
{{- range .Values.reconciler.secretNamespaces }}
{{- $bindings = append $bindings (printf "%s/%s-secrets" . (include "concierge.fullname" $)) }}
{{- end }}
{{- end }}
{{- join "," $bindings }}
{{- end }}

{{/* The reconciler's container, in whichever pod. */}}
{{- define "concierge.reconcilerContainer" -}}
name: reconciler
command: [concierge-reconciler]
args:
  - run
  - --admin=0.0.0.0:{{ int .Values.reconciler.adminPort }}
  - --lease-name={{ include "concierge.lease" . }}
  - --lease-namespace={{ .Release.Namespace }}
  {{- with .Values.reconciler.namespaces }}
  - {{ printf "--namespaces=%s" (join "," .) | quote }}
  {{- end }}
  {{- with include "concierge.keptBindings" . }}
  - {{ printf "--keep-role-bindings=%s" . | quote }}
  {{- end }}
  {{- with .Values.reconciler.children }}
  - {{ printf "--children=%s" (join "," .) | quote }}
  - {{ printf "--image=%s" (include "concierge.image" $) | quote }}
  - --role-prefix={{ include "concierge.fullname" $ }}-
  {{- end }}
  {{- include "concierge.ruleArguments" . | nindent 2 }}
  - {{ printf "--log=%s" .Values.logs.filter | quote }}
  - --log-format={{ .Values.logs.format }}
  {{- with .Values.reconciler.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: reconciler
    containerPort: {{ int .Values.reconciler.adminPort }}
{{ include "concierge.containerSettings" (dict "root" . "values" .Values.reconciler "admin" "reconciler") }}
{{- if include "concierge.apart" . }}
readinessProbe:
  httpGet:
    path: /readyz
    port: reconciler
  {{- toYaml .Values.reconciler.readinessProbe | nindent 2 }}
{{- end }}
{{- end }}

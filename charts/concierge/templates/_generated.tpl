{{/* Generated from the kinds in shared/: do not edit. To write it anew:
     cargo run -p concierge-webhook -- manifests --chart charts/concierge */}}

{{- define "concierge.generated.mutatingRules" -}}
- apiGroups:
  - coffee.terminal.sh
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  resources:
  - coffeeaddresses
  - coffeeapps
  - coffeecards
  - coffeecarts
  - coffeeorders
  - coffeeproducts
  - coffeeprofiles
  - coffeesubscriptions
  - terminalaccounts
  - terminaltokens
  scope: Namespaced
- apiGroups:
  - petstore.example.com
  apiVersions:
  - v1
  operations:
  - CREATE
  - UPDATE
  resources:
  - pets
  - petstores
  scope: Namespaced
- apiGroups:
  - s3.cloud37.dev
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  resources:
  - accesskeys
  - bucketpolicies
  - buckets
  - iampolicies
  - providers
  - users
  scope: Namespaced
{{- end }}

{{- define "concierge.generated.validatingRules" -}}
- apiGroups:
  - coffee.terminal.sh
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  resources:
  - coffeeapps
  - coffeecarts
  - coffeeproducts
  - terminaltokens
  scope: Namespaced
- apiGroups:
  - coffee.terminal.sh
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  - DELETE
  resources:
  - coffeeaddresses
  - coffeecards
  - coffeeorders
  - coffeeprofiles
  - coffeesubscriptions
  - terminalaccounts
  scope: Namespaced
- apiGroups:
  - petstore.example.com
  apiVersions:
  - v1
  operations:
  - CREATE
  - UPDATE
  resources:
  - pets
  scope: Namespaced
- apiGroups:
  - petstore.example.com
  apiVersions:
  - v1
  operations:
  - CREATE
  - UPDATE
  - DELETE
  resources:
  - petstores
  scope: Namespaced
- apiGroups:
  - s3.cloud37.dev
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  resources:
  - accesskeys
  - bucketpolicies
  scope: Namespaced
- apiGroups:
  - s3.cloud37.dev
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  - DELETE
  resources:
  - buckets
  - iampolicies
  - providers
  - users
  scope: Namespaced
{{- end }}

{{- define "concierge.generated.matchConditions" -}}
- expression: request.userInfo.username != 'system:serviceaccount:{{ .Release.Namespace }}:{{ include `concierge.reconcilerAccount` . }}'
  name: not-the-reconciler
- expression: request.operation == 'CREATE' || !has(oldObject.metadata.deletionTimestamp)
  name: not-terminating
- expression: request.operation != 'UPDATE' || has(object.spec) != has(oldObject.spec) || (has(object.spec) && object.spec != oldObject.spec) || (has(object.metadata.labels) && 'petstore.example.com/store' in object.metadata.labels) != (has(oldObject.metadata.labels) && 'petstore.example.com/store' in oldObject.metadata.labels) || ((has(object.metadata.labels) && 'petstore.example.com/store' in object.metadata.labels) && object.metadata.labels['petstore.example.com/store'] != oldObject.metadata.labels['petstore.example.com/store']) || (has(object.metadata.annotations) && 'concierge.dev/empty' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'concierge.dev/empty' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'concierge.dev/empty' in object.metadata.annotations) && object.metadata.annotations['concierge.dev/empty'] != oldObject.metadata.annotations['concierge.dev/empty']) || (has(object.metadata.annotations) && 'concierge.dev/resync' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'concierge.dev/resync' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'concierge.dev/resync' in object.metadata.annotations) && object.metadata.annotations['concierge.dev/resync'] != oldObject.metadata.annotations['concierge.dev/resync'])
  name: spec-changes
{{- end }}

{{- define "concierge.generated.webhookRights" -}}
- apiGroups:
  - coffee.terminal.sh
  resources:
  - coffeeaddresses
  - coffeeapps
  - coffeecards
  - coffeecarts
  - coffeeorders
  - coffeeproducts
  - coffeeprofiles
  - coffeesubscriptions
  - terminalaccounts
  - terminaltokens
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - petstore.example.com
  resources:
  - pets
  - petstores
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - s3.cloud37.dev
  resources:
  - accesskeys
  - bucketpolicies
  - buckets
  - iampolicies
  - providers
  - users
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - ""
  resources:
  - namespaces
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - concierge.dev
  resources:
  - claims
  verbs:
  - get
  - create
  - delete
- apiGroups:
  - authorization.k8s.io
  resources:
  - subjectaccessreviews
  verbs:
  - create
{{- end }}

{{- define "concierge.generated.bundleRights" -}}
- apiGroups:
  - admissionregistration.k8s.io
  resourceNames:
  - "{{ include `concierge.fullname` . }}"
  resources:
  - mutatingwebhookconfigurations
  - validatingwebhookconfigurations
  verbs:
  - get
  - list
  - watch
  - patch
{{- end }}

{{- define "concierge.generated.authorityRights" -}}
- apiGroups:
  - ""
  resources:
  - secrets
  verbs:
  - create
- apiGroups:
  - ""
  resourceNames:
  - "{{ include `concierge.authority` . }}"
  resources:
  - secrets
  verbs:
  - get
  - list
  - watch
  - update
  - patch
{{- end }}

{{- define "concierge.generated.reconcilerRights" -}}
- apiGroups:
  - coffee.terminal.sh
  resources:
  - coffeeaddresses
  - coffeeapps
  - coffeecards
  - coffeecarts
  - coffeeorders
  - coffeeproducts
  - coffeeprofiles
  - coffeesubscriptions
  - terminalaccounts
  - terminaltokens
  verbs:
  - get
  - list
  - watch
  - update
  - patch
- apiGroups:
  - petstore.example.com
  resources:
  - pets
  - petstores
  verbs:
  - get
  - list
  - watch
  - update
  - patch
- apiGroups:
  - s3.cloud37.dev
  resources:
  - accesskeys
  - bucketpolicies
  - buckets
  - iampolicies
  - providers
  - users
  verbs:
  - get
  - list
  - watch
  - update
  - patch
- apiGroups:
  - coffee.terminal.sh
  resources:
  - coffeeaddresses/status
  - coffeeapps/status
  - coffeecards/status
  - coffeecarts/status
  - coffeeorders/status
  - coffeeproducts/status
  - coffeeprofiles/status
  - coffeesubscriptions/status
  - terminalaccounts/status
  - terminaltokens/status
  verbs:
  - get
  - update
  - patch
- apiGroups:
  - petstore.example.com
  resources:
  - pets/status
  - petstores/status
  verbs:
  - get
  - update
  - patch
- apiGroups:
  - s3.cloud37.dev
  resources:
  - accesskeys/status
  - bucketpolicies/status
  - buckets/status
  - iampolicies/status
  - providers/status
  - users/status
  verbs:
  - get
  - update
  - patch
- apiGroups:
  - coffee.terminal.sh
  resources:
  - coffeeaddresses/finalizers
  - coffeeapps/finalizers
  - coffeecards/finalizers
  - coffeecarts/finalizers
  - coffeeorders/finalizers
  - coffeeproducts/finalizers
  - coffeeprofiles/finalizers
  - coffeesubscriptions/finalizers
  - terminalaccounts/finalizers
  - terminaltokens/finalizers
  verbs:
  - update
- apiGroups:
  - petstore.example.com
  resources:
  - pets/finalizers
  - petstores/finalizers
  verbs:
  - update
- apiGroups:
  - s3.cloud37.dev
  resources:
  - accesskeys/finalizers
  - bucketpolicies/finalizers
  - buckets/finalizers
  - iampolicies/finalizers
  - providers/finalizers
  - users/finalizers
  verbs:
  - update
- apiGroups:
  - coffee.terminal.sh
  resources:
  - coffeeproducts
  verbs:
  - create
  - delete
- apiGroups:
  - ""
  resources:
  - events
  verbs:
  - create
  - patch
- apiGroups:
  - events.k8s.io
  resources:
  - events
  verbs:
  - create
  - patch
{{- end }}

{{- define "concierge.generated.claimRights" -}}
- apiGroups:
  - concierge.dev
  resources:
  - claims
  verbs:
  - get
  - list
  - watch
  - create
  - delete
- apiGroups:
  - ""
  resources:
  - namespaces
  verbs:
  - get
  - list
  - watch
{{- end }}

{{- define "concierge.generated.keptBindingRights" -}}
- apiGroups:
  - rbac.authorization.k8s.io
  resourceNames:
  - "{{ include `concierge.fullname` . }}-reconciler"
  - "{{ include `concierge.fullname` . }}-secrets"
  resources:
  - rolebindings
  verbs:
  - get
  - patch
{{- end }}

{{- define "concierge.generated.leaseRights" -}}
- apiGroups:
  - coordination.k8s.io
  resources:
  - leases
  verbs:
  - create
- apiGroups:
  - coordination.k8s.io
  resourceNames:
  - "{{ include `concierge.lease` . }}"
  resources:
  - leases
  verbs:
  - get
  - update
  - patch
{{- end }}

{{- define "concierge.generated.secretRights" -}}
- apiGroups:
  - ""
  resources:
  - secrets
  verbs:
  - create
  - get
  - patch
  - update
{{- end }}

{{- define "concierge.generated.viewRights" -}}
- apiGroups:
  - coffee.terminal.sh
  resources:
  - coffeeapps
  - coffeecarts
  - coffeeproducts
  - coffeesubscriptions
  - terminalaccounts
  - terminaltokens
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - petstore.example.com
  resources:
  - pets
  - petstores
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - s3.cloud37.dev
  resources:
  - accesskeys
  - bucketpolicies
  - buckets
  - iampolicies
  - providers
  - users
  verbs:
  - get
  - list
  - watch
{{- end }}

{{- define "concierge.generated.editRights" -}}
- apiGroups:
  - coffee.terminal.sh
  resources:
  - coffeeaddresses
  - coffeecards
  - coffeeorders
  - coffeeprofiles
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - coffee.terminal.sh
  resources:
  - coffeeaddresses
  - coffeeapps
  - coffeecards
  - coffeecarts
  - coffeeorders
  - coffeeproducts
  - coffeeprofiles
  - coffeesubscriptions
  - terminalaccounts
  - terminaltokens
  verbs:
  - create
  - update
  - patch
  - delete
  - deletecollection
- apiGroups:
  - petstore.example.com
  resources:
  - pets
  - petstores
  verbs:
  - create
  - update
  - patch
  - delete
  - deletecollection
- apiGroups:
  - s3.cloud37.dev
  resources:
  - accesskeys
  - bucketpolicies
  - buckets
  - iampolicies
  - providers
  - users
  verbs:
  - create
  - update
  - patch
  - delete
  - deletecollection
{{- end }}

{{- define "concierge.generated.urgentRequests" -}}
- apiGroups:
  - coffee.terminal.sh
  clusterScope: true
  namespaces:
  - "*"
  resources:
  - coffeeaddresses
  - coffeeapps
  - coffeecards
  - coffeecarts
  - coffeeorders
  - coffeeproducts
  - coffeeprofiles
  - coffeesubscriptions
  - terminalaccounts
  - terminaltokens
  verbs:
  - get
  - list
- apiGroups:
  - petstore.example.com
  clusterScope: true
  namespaces:
  - "*"
  resources:
  - pets
  - petstores
  verbs:
  - get
  - list
- apiGroups:
  - s3.cloud37.dev
  clusterScope: true
  namespaces:
  - "*"
  resources:
  - accesskeys
  - bucketpolicies
  - buckets
  - iampolicies
  - providers
  - users
  verbs:
  - get
  - list
- apiGroups:
  - ""
  clusterScope: true
  namespaces:
  - "*"
  resources:
  - namespaces
  verbs:
  - get
- apiGroups:
  - concierge.dev
  clusterScope: true
  namespaces:
  - "*"
  resources:
  - claims
  verbs:
  - get
  - create
  - delete
- apiGroups:
  - authorization.k8s.io
  clusterScope: true
  namespaces:
  - "*"
  resources:
  - subjectaccessreviews
  verbs:
  - create
{{- end }}

{{- define "concierge.generated.ruleArguments" -}}
- --coffee-max-quantity={{ int64 .Values.rules.coffee.maxQuantity }}
{{- if .Values.rules.coffee.strictVariantIds }}
- --coffee-strict-variant-ids
{{- end }}
{{- with .Values.rules.coffee.defaultAccount }}
- --coffee-default-account={{ . }}
{{- end }}
{{- end }}

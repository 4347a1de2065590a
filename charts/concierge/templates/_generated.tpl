{{/* Generated from the kinds in shared/: do not edit. To write it anew:
     cargo run -p concierge-webhook -- manifests --chart charts/concierge */}}

{{- define "concierge.generated.mutatingRules" -}}
- apiGroups:
  - catalyst.catalyst.dev
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  resources:
  - environments
  - projects
  scope: Namespaced
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
  - orasi.io
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  resources:
  - configurations
  - connectors
  - documents
  - pipelines
  - storages
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
  - catalyst.catalyst.dev
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  - DELETE
  resources:
  - environments
  - projects
  scope: Namespaced
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
  - orasi.io
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  resources:
  - configurations
  - documents
  scope: Namespaced
- apiGroups:
  - orasi.io
  apiVersions:
  - v1alpha1
  operations:
  - CREATE
  - UPDATE
  - DELETE
  resources:
  - connectors
  - pipelines
  - storages
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
- expression: request.operation != 'UPDATE' || has(object.spec) != has(oldObject.spec) || (has(object.spec) && object.spec != oldObject.spec) || (has(object.metadata.labels) && 'petstore.example.com/store' in object.metadata.labels) != (has(oldObject.metadata.labels) && 'petstore.example.com/store' in oldObject.metadata.labels) || ((has(object.metadata.labels) && 'petstore.example.com/store' in object.metadata.labels) && object.metadata.labels['petstore.example.com/store'] != oldObject.metadata.labels['petstore.example.com/store']) || (has(object.metadata.labels) && 'catalyst.dev/team' in object.metadata.labels) != (has(oldObject.metadata.labels) && 'catalyst.dev/team' in oldObject.metadata.labels) || ((has(object.metadata.labels) && 'catalyst.dev/team' in object.metadata.labels) && object.metadata.labels['catalyst.dev/team'] != oldObject.metadata.labels['catalyst.dev/team']) || (has(object.metadata.labels) && 'catalyst.dev/project' in object.metadata.labels) != (has(oldObject.metadata.labels) && 'catalyst.dev/project' in oldObject.metadata.labels) || ((has(object.metadata.labels) && 'catalyst.dev/project' in object.metadata.labels) && object.metadata.labels['catalyst.dev/project'] != oldObject.metadata.labels['catalyst.dev/project']) || (has(object.metadata.labels) && 'catalyst.dev/environment' in object.metadata.labels) != (has(oldObject.metadata.labels) && 'catalyst.dev/environment' in oldObject.metadata.labels) || ((has(object.metadata.labels) && 'catalyst.dev/environment' in object.metadata.labels) && object.metadata.labels['catalyst.dev/environment'] != oldObject.metadata.labels['catalyst.dev/environment']) || (request.kind.group == 'orasi.io' && request.kind.kind == 'Pipeline' && (has(object.metadata.labels) != has(oldObject.metadata.labels) || (has(object.metadata.labels) && object.metadata.labels != oldObject.metadata.labels))) || (has(object.metadata.annotations) && 'concierge.dev/empty' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'concierge.dev/empty' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'concierge.dev/empty' in object.metadata.annotations) && object.metadata.annotations['concierge.dev/empty'] != oldObject.metadata.annotations['concierge.dev/empty']) || (has(object.metadata.annotations) && 'catalyst.dev/environment-id' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'catalyst.dev/environment-id' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'catalyst.dev/environment-id' in object.metadata.annotations) && object.metadata.annotations['catalyst.dev/environment-id'] != oldObject.metadata.annotations['catalyst.dev/environment-id']) || (has(object.metadata.annotations) && 'orasi.io/frozen' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'orasi.io/frozen' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'orasi.io/frozen' in object.metadata.annotations) && object.metadata.annotations['orasi.io/frozen'] != oldObject.metadata.annotations['orasi.io/frozen']) || (has(object.metadata.annotations) && 'concierge.dev/resync' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'concierge.dev/resync' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'concierge.dev/resync' in object.metadata.annotations) && object.metadata.annotations['concierge.dev/resync'] != oldObject.metadata.annotations['concierge.dev/resync'])
  name: spec-changes
{{- end }}

{{- define "concierge.generated.mutatingConditions" -}}
- expression: request.userInfo.username != 'system:serviceaccount:{{ .Release.Namespace }}:{{ include `concierge.reconcilerAccount` . }}'
  name: not-the-reconciler
- expression: request.operation == 'CREATE' || !has(oldObject.metadata.deletionTimestamp)
  name: not-terminating
- expression: request.operation != 'UPDATE' || has(object.spec) != has(oldObject.spec) || (has(object.spec) && object.spec != oldObject.spec) || (has(object.metadata.labels) && 'petstore.example.com/store' in object.metadata.labels) != (has(oldObject.metadata.labels) && 'petstore.example.com/store' in oldObject.metadata.labels) || ((has(object.metadata.labels) && 'petstore.example.com/store' in object.metadata.labels) && object.metadata.labels['petstore.example.com/store'] != oldObject.metadata.labels['petstore.example.com/store']) || (has(object.metadata.labels) && 'catalyst.dev/team' in object.metadata.labels) != (has(oldObject.metadata.labels) && 'catalyst.dev/team' in oldObject.metadata.labels) || ((has(object.metadata.labels) && 'catalyst.dev/team' in object.metadata.labels) && object.metadata.labels['catalyst.dev/team'] != oldObject.metadata.labels['catalyst.dev/team']) || (has(object.metadata.labels) && 'catalyst.dev/project' in object.metadata.labels) != (has(oldObject.metadata.labels) && 'catalyst.dev/project' in oldObject.metadata.labels) || ((has(object.metadata.labels) && 'catalyst.dev/project' in object.metadata.labels) && object.metadata.labels['catalyst.dev/project'] != oldObject.metadata.labels['catalyst.dev/project']) || (has(object.metadata.labels) && 'catalyst.dev/environment' in object.metadata.labels) != (has(oldObject.metadata.labels) && 'catalyst.dev/environment' in oldObject.metadata.labels) || ((has(object.metadata.labels) && 'catalyst.dev/environment' in object.metadata.labels) && object.metadata.labels['catalyst.dev/environment'] != oldObject.metadata.labels['catalyst.dev/environment']) || (request.kind.group == 'orasi.io' && request.kind.kind == 'Pipeline' && (has(object.metadata.labels) != has(oldObject.metadata.labels) || (has(object.metadata.labels) && object.metadata.labels != oldObject.metadata.labels))) || (has(object.metadata.annotations) && 'concierge.dev/empty' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'concierge.dev/empty' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'concierge.dev/empty' in object.metadata.annotations) && object.metadata.annotations['concierge.dev/empty'] != oldObject.metadata.annotations['concierge.dev/empty']) || (has(object.metadata.annotations) && 'catalyst.dev/environment-id' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'catalyst.dev/environment-id' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'catalyst.dev/environment-id' in object.metadata.annotations) && object.metadata.annotations['catalyst.dev/environment-id'] != oldObject.metadata.annotations['catalyst.dev/environment-id']) || (has(object.metadata.annotations) && 'orasi.io/frozen' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'orasi.io/frozen' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'orasi.io/frozen' in object.metadata.annotations) && object.metadata.annotations['orasi.io/frozen'] != oldObject.metadata.annotations['orasi.io/frozen']) || (has(object.metadata.annotations) && 'concierge.dev/resync' in object.metadata.annotations) != (has(oldObject.metadata.annotations) && 'concierge.dev/resync' in oldObject.metadata.annotations) || ((has(object.metadata.annotations) && 'concierge.dev/resync' in object.metadata.annotations) && object.metadata.annotations['concierge.dev/resync'] != oldObject.metadata.annotations['concierge.dev/resync'])
  name: spec-changes
- expression: (request.operation == 'CREATE' && has(object.status)) || (request.kind.group == 'coffee.terminal.sh' && request.kind.kind == 'TerminalAccount' && (has(object.spec) && object.spec != null && (!has(object.spec.environment) || object.spec.environment == null))) || (request.kind.group == 'coffee.terminal.sh' && request.kind.kind == 'CoffeeProfile' && (has(object.spec) && object.spec != null && has(object.spec.email) && object.spec.email != null && object.spec.email.trim() != object.spec.email || has(object.spec) && object.spec != null && has(object.spec.name) && object.spec.name != null && object.spec.name.trim() != object.spec.name)) || (request.kind.group == 'coffee.terminal.sh' && request.kind.kind == 'CoffeeAddress' && (has(object.spec) && object.spec != null && has(object.spec.name) && object.spec.name != null && object.spec.name.trim() != object.spec.name || has(object.spec) && object.spec != null && has(object.spec.street1) && object.spec.street1 != null && object.spec.street1.trim() != object.spec.street1 || has(object.spec) && object.spec != null && has(object.spec.street2) && object.spec.street2 != null && object.spec.street2.trim() != object.spec.street2 || has(object.spec) && object.spec != null && has(object.spec.city) && object.spec.city != null && object.spec.city.trim() != object.spec.city || has(object.spec) && object.spec != null && has(object.spec.province) && object.spec.province != null && object.spec.province.trim() != object.spec.province || has(object.spec) && object.spec != null && has(object.spec.state) && object.spec.state != null && object.spec.state.trim() != object.spec.state || has(object.spec) && object.spec != null && has(object.spec.zip) && object.spec.zip != null && object.spec.zip.trim() != object.spec.zip || has(object.spec) && object.spec != null && has(object.spec.phone) && object.spec.phone != null && object.spec.phone.trim() != object.spec.phone || has(object.spec) && object.spec != null && has(object.spec.country) && object.spec.country != null && object.spec.country.trim().upperAscii() != object.spec.country)) || (request.kind.group == 'coffee.terminal.sh' && request.kind.kind == 'CoffeeOrder' && (has(object.spec) && object.spec != null && (!has(object.spec.quantity) || object.spec.quantity == null) || has(object.spec) && object.spec != null && (!has(object.spec.priority) || object.spec.priority == null) || has(object.spec) && object.spec != null && (has(object.spec.scheduling) && object.spec.scheduling != null && (!has(object.spec.scheduling.deliveryWindow) || object.spec.scheduling.deliveryWindow == null)) || has(object.spec) && object.spec != null && has(object.spec.address) && object.spec.address != null && has(object.spec.address.name) && object.spec.address.name != null && object.spec.address.name.trim() != object.spec.address.name || has(object.spec) && object.spec != null && has(object.spec.address) && object.spec.address != null && has(object.spec.address.street1) && object.spec.address.street1 != null && object.spec.address.street1.trim() != object.spec.address.street1 || has(object.spec) && object.spec != null && has(object.spec.address) && object.spec.address != null && has(object.spec.address.street2) && object.spec.address.street2 != null && object.spec.address.street2.trim() != object.spec.address.street2 || has(object.spec) && object.spec != null && has(object.spec.address) && object.spec.address != null && has(object.spec.address.city) && object.spec.address.city != null && object.spec.address.city.trim() != object.spec.address.city || has(object.spec) && object.spec != null && has(object.spec.address) && object.spec.address != null && has(object.spec.address.province) && object.spec.address.province != null && object.spec.address.province.trim() != object.spec.address.province || has(object.spec) && object.spec != null && has(object.spec.address) && object.spec.address != null && has(object.spec.address.zip) && object.spec.address.zip != null && object.spec.address.zip.trim() != object.spec.address.zip || has(object.spec) && object.spec != null && has(object.spec.address) && object.spec.address != null && has(object.spec.address.phone) && object.spec.address.phone != null && object.spec.address.phone.trim() != object.spec.address.phone || has(object.spec) && object.spec != null && has(object.spec.address) && object.spec.address != null && has(object.spec.address.country) && object.spec.address.country != null && object.spec.address.country.trim().upperAscii() != object.spec.address.country)) || (request.kind.group == 'coffee.terminal.sh' && request.kind.kind == 'CoffeeSubscription' && (has(object.spec) && object.spec != null && (!has(object.spec.quantity) || object.spec.quantity == null))) || (request.kind.group == 'coffee.terminal.sh' && request.kind.kind == 'CoffeeCart' && (has(object.spec) && object.spec != null && (!has(object.spec.convertToOrder) || object.spec.convertToOrder == null) || has(object.spec) && object.spec != null && (has(object.spec.items) && object.spec.items != null && (size(object.spec.items) > 1000 || object.spec.items.exists(item, !has(item.quantity) || item.quantity == null))))) || (request.kind.group == 'coffee.terminal.sh' && request.kind.kind == 'CoffeeApp' && (has(object.spec) && object.spec != null && has(object.spec.name) && object.spec.name != null && object.spec.name.trim() != object.spec.name)) || (request.kind.group == 'coffee.terminal.sh' && request.kind.kind == 'CoffeeProduct' && (has(object.spec) && object.spec != null && (!has(object.spec.subscription) || object.spec.subscription == null))) || (request.kind.group == 'petstore.example.com' && request.kind.kind == 'Pet' && (has(object.spec) && object.spec != null && has(object.spec.name) && object.spec.name != null && object.spec.name.trim() != object.spec.name || has(object.spec) && object.spec != null && has(object.spec.tag) && object.spec.tag != null && object.spec.tag.trim() != object.spec.tag)) || (request.kind.group == 'petstore.example.com' && request.kind.kind == 'PetStore' && (has(object.spec) && object.spec != null && has(object.spec.name) && object.spec.name != null && object.spec.name.trim() != object.spec.name || has(object.spec) && object.spec != null && (!has(object.spec.config) || object.spec.config == null) || has(object.spec) && object.spec != null && (has(object.spec.config) && object.spec.config != null && (!has(object.spec.config.maxPets) || object.spec.config.maxPets == null)) || has(object.spec) && object.spec != null && (has(object.spec.config) && object.spec.config != null && (!has(object.spec.config.defaultLimit) || object.spec.config.defaultLimit == null)) || has(object.spec) && object.spec != null && (has(object.spec.config) && object.spec.config != null && (!has(object.spec.config.enablePagination) || object.spec.config.enablePagination == null)) || has(object.spec) && object.spec != null && (has(object.spec.config) && object.spec.config != null && (has(object.spec.config.allowedTags) && object.spec.config.allowedTags != null && (size(object.spec.config.allowedTags) > 1000 || object.spec.config.allowedTags.exists(item, item.trim() != item)))) || has(object.spec) && object.spec != null && (!has(object.spec.endpoints) || object.spec.endpoints == null) || has(object.spec) && object.spec != null && (has(object.spec.endpoints) && object.spec.endpoints != null && (!has(object.spec.endpoints.version) || object.spec.endpoints.version == null)) || has(object.spec) && object.spec != null && (!has(object.spec.security) || object.spec.security == null) || has(object.spec) && object.spec != null && (has(object.spec.security) && object.spec.security != null && (!has(object.spec.security.requireAuthentication) || object.spec.security.requireAuthentication == null)))) || (request.kind.group == 's3.cloud37.dev' && request.kind.kind == 'Provider' && (has(object.spec) && object.spec != null && (!has(object.spec.type) || object.spec.type == null) || has(object.spec) && object.spec != null && (!has(object.spec.pathStyle) || object.spec.pathStyle == null) || has(object.spec) && object.spec != null && (has(object.spec.auth) && object.spec.auth != null && (has(object.spec.auth.accessKeySecretRef) && object.spec.auth.accessKeySecretRef != null && (!has(object.spec.auth.accessKeySecretRef.key) || object.spec.auth.accessKeySecretRef.key == null))) || has(object.spec) && object.spec != null && (has(object.spec.auth) && object.spec.auth != null && (has(object.spec.auth.secretKeySecretRef) && object.spec.auth.secretKeySecretRef != null && (!has(object.spec.auth.secretKeySecretRef.key) || object.spec.auth.secretKeySecretRef.key == null))) || has(object.spec) && object.spec != null && (has(object.spec.auth) && object.spec.auth != null && (has(object.spec.auth.sessionTokenSecretRef) && object.spec.auth.sessionTokenSecretRef != null && (!has(object.spec.auth.sessionTokenSecretRef.key) || object.spec.auth.sessionTokenSecretRef.key == null))) || has(object.spec) && object.spec != null && (has(object.spec.tls) && object.spec.tls != null && (has(object.spec.tls.caCertSecretRef) && object.spec.tls.caCertSecretRef != null && (!has(object.spec.tls.caCertSecretRef.key) || object.spec.tls.caCertSecretRef.key == null))) || has(object.spec) && object.spec != null && (has(object.spec.iamEndpoint) && object.spec.iamEndpoint != null && (!has(object.spec.iamRegion) || object.spec.iamRegion == null)) || has(object.spec) && object.spec != null && (has(object.spec.retry) && object.spec.retry != null && (!has(object.spec.retry.maxAttempts) || object.spec.retry.maxAttempts == null)) || has(object.spec) && object.spec != null && (has(object.spec.retry) && object.spec.retry != null && (!has(object.spec.retry.backoffStrategy) || object.spec.retry.backoffStrategy == null)))) || (request.kind.group == 's3.cloud37.dev' && request.kind.kind == 'Bucket' && (has(object.spec) && object.spec != null && (!has(object.spec.autoManage) || object.spec.autoManage == null) || has(object.spec) && object.spec != null && (has(object.spec.autoManage) && object.spec.autoManage != null && (!has(object.spec.autoManage.enabled) || object.spec.autoManage.enabled == null)) || has(object.spec) && object.spec != null && (has(object.spec.autoManage) && object.spec.autoManage != null && (!has(object.spec.autoManage.accessLevel) || object.spec.autoManage.accessLevel == null)) || has(object.spec) && object.spec != null && (has(object.spec.autoManage) && object.spec.autoManage != null && (!has(object.spec.autoManage.rotation) || object.spec.autoManage.rotation == null)) || has(object.spec) && object.spec != null && (has(object.spec.autoManage) && object.spec.autoManage != null && (has(object.spec.autoManage.rotation) && object.spec.autoManage.rotation != null && (!has(object.spec.autoManage.rotation.enabled) || object.spec.autoManage.rotation.enabled == null))) || has(object.spec) && object.spec != null && (has(object.spec.autoManage) && object.spec.autoManage != null && (has(object.spec.autoManage.rotation) && object.spec.autoManage.rotation != null && (!has(object.spec.autoManage.rotation.intervalDays) || object.spec.autoManage.rotation.intervalDays == null))) || has(object.spec) && object.spec != null && (has(object.spec.autoManage) && object.spec.autoManage != null && (has(object.spec.autoManage.rotation) && object.spec.autoManage.rotation != null && (!has(object.spec.autoManage.rotation.previousKeysRetentionDays) || object.spec.autoManage.rotation.previousKeysRetentionDays == null))) || has(object.spec) && object.spec != null && (has(object.spec.versioning) && object.spec.versioning != null && (!has(object.spec.versioning.enabled) || object.spec.versioning.enabled == null)) || has(object.spec) && object.spec != null && (has(object.spec.versioning) && object.spec.versioning != null && (!has(object.spec.versioning.mfaDelete) || object.spec.versioning.mfaDelete == null)) || has(object.spec) && object.spec != null && (has(object.spec.encryption) && object.spec.encryption != null && (!has(object.spec.encryption.enabled) || object.spec.encryption.enabled == null)) || has(object.spec) && object.spec != null && (has(object.spec.encryption) && object.spec.encryption != null && (!has(object.spec.encryption.algorithm) || object.spec.encryption.algorithm == null)) || has(object.spec) && object.spec != null && (!has(object.spec.publicAccess) || object.spec.publicAccess == null) || has(object.spec) && object.spec != null && (has(object.spec.publicAccess) && object.spec.publicAccess != null && (!has(object.spec.publicAccess.blockPublicAcls) || object.spec.publicAccess.blockPublicAcls == null)) || has(object.spec) && object.spec != null && (has(object.spec.publicAccess) && object.spec.publicAccess != null && (!has(object.spec.publicAccess.blockPublicPolicy) || object.spec.publicAccess.blockPublicPolicy == null)) || has(object.spec) && object.spec != null && (has(object.spec.publicAccess) && object.spec.publicAccess != null && (!has(object.spec.publicAccess.ignorePublicAcls) || object.spec.publicAccess.ignorePublicAcls == null)) || has(object.spec) && object.spec != null && (has(object.spec.publicAccess) && object.spec.publicAccess != null && (!has(object.spec.publicAccess.restrictPublicBuckets) || object.spec.publicAccess.restrictPublicBuckets == null)) || has(object.spec) && object.spec != null && (has(object.spec.lifecycle) && object.spec.lifecycle != null && (has(object.spec.lifecycle.rules) && object.spec.lifecycle.rules != null && (size(object.spec.lifecycle.rules) > 1000 || object.spec.lifecycle.rules.exists(item, !has(item.status) || item.status == null)))) || has(object.spec) && object.spec != null && (has(object.spec.cors) && object.spec.cors != null && (has(object.spec.cors.rules) && object.spec.cors.rules != null && (size(object.spec.cors.rules) > 1000 || object.spec.cors.rules.exists(item, !has(item.maxAgeSeconds) || item.maxAgeSeconds == null)))) || has(object.spec) && object.spec != null && (has(object.spec.tagging) && object.spec.tagging != null && (!has(object.spec.tagging.policy) || object.spec.tagging.policy == null)))) || (request.kind.group == 's3.cloud37.dev' && request.kind.kind == 'BucketPolicy' && (has(object.spec) && object.spec != null && (has(object.spec.policy) && object.spec.policy != null && (!has(object.spec.policy.version) || object.spec.policy.version == null)))) || (request.kind.group == 's3.cloud37.dev' && request.kind.kind == 'User' && (has(object.spec) && object.spec != null && (has(object.spec.policy) && object.spec.policy != null && (!has(object.spec.policy.version) || object.spec.policy.version == null)))) || (request.kind.group == 's3.cloud37.dev' && request.kind.kind == 'IAMPolicy' && (has(object.spec) && object.spec != null && (has(object.spec.policy) && object.spec.policy != null && (!has(object.spec.policy.version) || object.spec.policy.version == null)))) || (request.kind.group == 's3.cloud37.dev' && request.kind.kind == 'AccessKey' && (has(object.spec) && object.spec != null && (!has(object.spec.rotate) || object.spec.rotate == null) || has(object.spec) && object.spec != null && (has(object.spec.rotate) && object.spec.rotate != null && (!has(object.spec.rotate.enabled) || object.spec.rotate.enabled == null)) || has(object.spec) && object.spec != null && (has(object.spec.rotate) && object.spec.rotate != null && (!has(object.spec.rotate.intervalDays) || object.spec.rotate.intervalDays == null)) || has(object.spec) && object.spec != null && (has(object.spec.rotate) && object.spec.rotate != null && (!has(object.spec.rotate.previousKeysRetentionDays) || object.spec.rotate.previousKeysRetentionDays == null)))) || (request.kind.group == 'orasi.io' && request.kind.kind == 'Storage' && (has(object.spec) && object.spec != null && (has(object.spec.deltaLake) && object.spec.deltaLake != null && (!has(object.spec.deltaLake.enableTransactions) || object.spec.deltaLake.enableTransactions == null)) || has(object.spec) && object.spec != null && (has(object.spec.iceberg) && object.spec.iceberg != null && (!has(object.spec.iceberg.enableSchemaEvolution) || object.spec.iceberg.enableSchemaEvolution == null)) || has(object.spec) && object.spec != null && (has(object.spec.hudi) && object.spec.hudi != null && (!has(object.spec.hudi.enableIncremental) || object.spec.hudi.enableIncremental == null)) || has(object.spec) && object.spec != null && (has(object.spec.snowflake) && object.spec.snowflake != null && (!has(object.spec.snowflake.enableBulkLoading) || object.spec.snowflake.enableBulkLoading == null)) || has(object.spec) && object.spec != null && (has(object.spec.s3Parquet) && object.spec.s3Parquet != null && (!has(object.spec.s3Parquet.enablePartitioning) || object.spec.s3Parquet.enablePartitioning == null)) || has(object.spec) && object.spec != null && (has(object.spec.s3Parquet) && object.spec.s3Parquet != null && (!has(object.spec.s3Parquet.pathStyle) || object.spec.s3Parquet.pathStyle == null)) || has(object.spec) && object.spec != null && (has(object.spec.s3) && object.spec.s3 != null && (!has(object.spec.s3.pathStyle) || object.spec.s3.pathStyle == null)))) || (request.kind.group == 'orasi.io' && request.kind.kind == 'Document' && (has(object.spec) && object.spec != null && (!has(object.spec.hidden) || object.spec.hidden == null) || has(object.spec) && object.spec != null && (has(object.spec.metadata) && object.spec.metadata != null && (has(object.spec.metadata.tags) && object.spec.metadata.tags != null && (size(object.spec.metadata.tags) > 1000 || object.spec.metadata.tags.exists(item, item.trim().lowerAscii() != item)))))) || (request.kind.group == 'orasi.io' && request.kind.kind == 'Pipeline' && (has(object.spec) && object.spec != null && (!has(object.spec.maxBatchSize) || object.spec.maxBatchSize == null) || has(object.spec) && object.spec != null && (!has(object.spec.flushIntervalMs) || object.spec.flushIntervalMs == null) || has(object.spec) && object.spec != null && (!has(object.spec.bufferSize) || object.spec.bufferSize == null) || has(object.spec) && object.spec != null && (!has(object.spec.enableBackpressure) || object.spec.enableBackpressure == null) || has(object.spec) && object.spec != null && (!has(object.spec.backpressureThreshold) || object.spec.backpressureThreshold == null) || has(object.spec) && object.spec != null && (!has(object.spec.enableMetrics) || object.spec.enableMetrics == null) || has(object.spec) && object.spec != null && (!has(object.spec.enableHealthChecks) || object.spec.enableHealthChecks == null) || has(object.spec) && object.spec != null && (!has(object.spec.healthCheckIntervalMs) || object.spec.healthCheckIntervalMs == null))) || (request.kind.group == 'orasi.io' && request.kind.kind == 'Configuration' && (has(object.spec) && object.spec != null && (!has(object.spec.environment) || object.spec.environment == null)))
  name: something-to-fill-in
{{- end }}

{{- define "concierge.generated.webhookRights" -}}
- apiGroups:
  - catalyst.catalyst.dev
  resources:
  - environments
  - projects
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
  - get
  - list
  - watch
- apiGroups:
  - orasi.io
  resources:
  - configurations
  - connectors
  - documents
  - pipelines
  - storages
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
  - catalyst.catalyst.dev
  resources:
  - environments
  - projects
  verbs:
  - get
  - list
  - watch
  - update
  - patch
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
  - orasi.io
  resources:
  - configurations
  - connectors
  - documents
  - pipelines
  - storages
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
  - catalyst.catalyst.dev
  resources:
  - environments/status
  - projects/status
  verbs:
  - get
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
  - orasi.io
  resources:
  - configurations/status
  - connectors/status
  - documents/status
  - pipelines/status
  - storages/status
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
  - catalyst.catalyst.dev
  resources:
  - environments/finalizers
  - projects/finalizers
  verbs:
  - update
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
  - orasi.io
  resources:
  - configurations/finalizers
  - connectors/finalizers
  - documents/finalizers
  - pipelines/finalizers
  - storages/finalizers
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
  - catalyst.catalyst.dev
  resources:
  - environments
  verbs:
  - delete
- apiGroups:
  - coffee.terminal.sh
  resources:
  - coffeeproducts
  verbs:
  - create
  - delete
- apiGroups:
  - s3.cloud37.dev
  resources:
  - accesskeys
  verbs:
  - create
  - delete
- apiGroups:
  - s3.cloud37.dev
  resources:
  - bucketpolicies
  verbs:
  - create
  - delete
- apiGroups:
  - s3.cloud37.dev
  resources:
  - users
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

{{- define "concierge.generated.childGroups" -}}
catalyst,orasi{{- end }}

{{- define "concierge.generated.childRights.catalyst" -}}
- apiGroups:
  - ""
  resources:
  - configmaps
  - limitranges
  - namespaces
  - persistentvolumeclaims
  - pods
  - resourcequotas
  - secrets
  - services
  - serviceaccounts
  verbs:
  - get
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - apps
  resources:
  - deployments
  - statefulsets
  verbs:
  - get
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - batch
  resources:
  - jobs
  verbs:
  - get
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - networking.k8s.io
  resources:
  - ingresses
  - networkpolicies
  verbs:
  - get
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - rbac.authorization.k8s.io
  resources:
  - rolebindings
  verbs:
  - get
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - rbac.authorization.k8s.io
  resourceNames:
  - "{{ include `concierge.fullname` . }}-catalyst-runner"
  resources:
  - clusterroles
  verbs:
  - bind
- apiGroups:
  - ""
  resourceNames:
  - concierge-git
  resources:
  - serviceaccounts/token
  verbs:
  - create
{{- end }}

{{- define "concierge.generated.boundRoles.catalyst" -}}
catalyst-runner{{- end }}

{{- define "concierge.generated.boundRights.catalyst-runner" -}}
- apiGroups:
  - ""
  resources:
  - configmaps
  - persistentvolumeclaims
  - pods
  - replicationcontrollers
  - secrets
  - serviceaccounts
  - services
  verbs:
  - get
  - list
  - watch
  - create
  - update
  - patch
  - delete
  - deletecollection
- apiGroups:
  - ""
  resources:
  - endpoints
  - events
  - limitranges
  - pods/log
  - resourcequotas
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - apps
  resources:
  - daemonsets
  - deployments
  - deployments/scale
  - replicasets
  - replicasets/scale
  - statefulsets
  - statefulsets/scale
  verbs:
  - get
  - list
  - watch
  - create
  - update
  - patch
  - delete
  - deletecollection
- apiGroups:
  - apps
  resources:
  - controllerrevisions
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - autoscaling
  resources:
  - horizontalpodautoscalers
  verbs:
  - get
  - list
  - watch
  - create
  - update
  - patch
  - delete
  - deletecollection
- apiGroups:
  - batch
  resources:
  - cronjobs
  - jobs
  verbs:
  - get
  - list
  - watch
  - create
  - update
  - patch
  - delete
  - deletecollection
- apiGroups:
  - discovery.k8s.io
  resources:
  - endpointslices
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - policy
  resources:
  - poddisruptionbudgets
  verbs:
  - get
  - list
  - watch
  - create
  - update
  - patch
  - delete
  - deletecollection
{{- end }}

{{- define "concierge.generated.childRights.orasi" -}}
- apiGroups:
  - ""
  resources:
  - configmaps
  verbs:
  - get
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - apps
  resources:
  - deployments
  verbs:
  - get
{{- end }}

{{- define "concierge.generated.boundRoles.orasi" -}}
{{- end }}

{{- define "concierge.generated.viewRights" -}}
- apiGroups:
  - catalyst.catalyst.dev
  resources:
  - environments
  - projects
  verbs:
  - get
  - list
  - watch
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
  - orasi.io
  resources:
  - configurations
  - connectors
  - documents
  - pipelines
  - storages
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
  - catalyst.catalyst.dev
  resources:
  - environments
  - projects
  verbs:
  - create
  - update
  - patch
  - delete
  - deletecollection
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
  - orasi.io
  resources:
  - configurations
  - connectors
  - documents
  - pipelines
  - storages
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
  - catalyst.catalyst.dev
  clusterScope: true
  namespaces:
  - "*"
  resources:
  - environments
  - projects
  verbs:
  - get
  - list
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
  - orasi.io
  clusterScope: true
  namespaces:
  - "*"
  resources:
  - configurations
  - connectors
  - documents
  - pipelines
  - storages
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
{{- if hasKey .Values.rules.coffee "maxQuantity" }}
- --coffee-max-quantity={{ int64 .Values.rules.coffee.maxQuantity }}
{{- end }}
{{- if .Values.rules.coffee.strictVariantIds }}
- --coffee-strict-variant-ids
{{- end }}
{{- with .Values.rules.coffee.defaultAccount }}
- --coffee-default-account={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.reservedNamespaces }}
- --catalyst-reserved-namespaces={{ join "," . }}
{{- end }}
{{- with .Values.rules.catalyst.environmentIdSetters }}
- --catalyst-environment-id-setters={{ join "," . }}
{{- end }}
{{- if .Values.rules.catalyst.allowInternalRepositories }}
- --catalyst-allow-internal-repositories
{{- end }}
{{- if .Values.rules.catalyst.allowSshRepositories }}
- --catalyst-allow-ssh-repositories
{{- end }}
{{- if .Values.rules.catalyst.allowPat }}
- --catalyst-allow-pat
{{- end }}
{{- with .Values.rules.catalyst.previewDomain }}
- --catalyst-preview-domain={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.reservedHosts }}
- --catalyst-reserved-hosts={{ join "," . }}
{{- end }}
{{- with .Values.rules.catalyst.ingressClass }}
- --catalyst-ingress-class={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.ingressNamespace }}
- --catalyst-ingress-namespace={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.ingressIssuer }}
- --catalyst-ingress-issuer={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.egressPorts }}
- --catalyst-egress-ports={{ join "," . }}
{{- end }}
{{- with .Values.rules.catalyst.egressInternal }}
- --catalyst-egress-internal={{ join "," . }}
{{- end }}
{{- with .Values.rules.catalyst.workspaceImage }}
- --catalyst-workspace-image={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.webUrl }}
- --catalyst-web-url={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.registry }}
- --catalyst-registry={{ . }}
{{- end }}
{{- if .Values.rules.catalyst.registryInsecure }}
- --catalyst-registry-insecure
{{- end }}
{{- with .Values.rules.catalyst.builder }}
- --catalyst-builder={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.builderImage }}
- --catalyst-builder-image={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.gitImage }}
- --catalyst-git-image={{ . }}
{{- end }}
{{- with .Values.rules.catalyst.deployImage }}
- --catalyst-deploy-image={{ . }}
{{- end }}
{{- if hasKey .Values.rules.catalyst "buildMinutes" }}
- --catalyst-build-minutes={{ int64 .Values.rules.catalyst.buildMinutes }}
{{- end }}
{{- if hasKey .Values.rules.catalyst "deployMinutes" }}
- --catalyst-deploy-minutes={{ int64 .Values.rules.catalyst.deployMinutes }}
{{- end }}
{{- with .Values.rules.catalyst.runnerNetworks }}
- --catalyst-runner-networks={{ join "," . }}
{{- end }}
{{- if hasKey .Values.rules.catalyst "maxTtlDays" }}
- --catalyst-max-ttl-days={{ int64 .Values.rules.catalyst.maxTtlDays }}
{{- end }}
{{- if hasKey .Values.rules.catalyst "maxQuotaCpu" }}
- --catalyst-max-quota-cpu={{ int64 .Values.rules.catalyst.maxQuotaCpu }}
{{- end }}
{{- if hasKey .Values.rules.catalyst "maxQuotaMemoryGib" }}
- --catalyst-max-quota-memory-gib={{ int64 .Values.rules.catalyst.maxQuotaMemoryGib }}
{{- end }}
{{- if hasKey .Values.rules.catalyst "maxVolumes" }}
- --catalyst-max-volumes={{ int64 .Values.rules.catalyst.maxVolumes }}
{{- end }}
{{- if hasKey .Values.rules.catalyst "maxStorageGib" }}
- --catalyst-max-storage-gib={{ int64 .Values.rules.catalyst.maxStorageGib }}
{{- end }}
{{- if hasKey .Values.rules.orasi "maxContentBytes" }}
- --orasi-max-content-bytes={{ int64 .Values.rules.orasi.maxContentBytes }}
{{- end }}
{{- if hasKey .Values.rules.orasi "maxTags" }}
- --orasi-max-tags={{ int64 .Values.rules.orasi.maxTags }}
{{- end }}
{{- with .Values.rules.orasi.documentUnhiders }}
- --orasi-document-unhiders={{ join "," . }}
{{- end }}
{{- end }}

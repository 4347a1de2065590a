# Applies manifests, all or none, and deletes what an earlier run applied and this one has not.
set -eu
case "$MODE" in
  manifest | kustomize)
    if [ ! -e "$MANIFESTS" ]; then
      echo "there is nothing at \"$MANIFESTS_PATH\" in the source; correct the template's path" >&2
      exit 1
    fi
    mkdir -p -- "$WORK/overlay" "$WORK/manifests"
    cp -- "$VALUES" "$WORK/overlay/kustomization.yaml" ;;
esac
if [ "$MODE" = manifest ]; then
  if [ -d "$MANIFESTS" ]; then set -- "$MANIFESTS"/*.yaml "$MANIFESTS"/*.yml "$MANIFESTS"/*.json; else set -- "$MANIFESTS"; fi
  number=0
  # Numbers instead of names: a name may have any character.
  { echo 'resources:'
    for file; do
      [ -f "$file" ] || continue
      number=$((number + 1))
      cp -- "$file" "$WORK/manifests/$number.yaml"
      echo "- $number.yaml"
    done
  } > "$WORK/manifests/kustomization.yaml"
  if [ "$number" = 0 ]; then
    echo "there is no .yaml, .yml or .json at \"$MANIFESTS_PATH\" in the source; correct the template's path" >&2
    exit 1
  fi
fi
case "$MODE" in
  manifest | kustomize) kubectl kustomize "$WORK/overlay" > "$APPLIED" ;;
esac
export KUBECTL_APPLYSET=true
apply() {
  kubectl apply --namespace "$NAMESPACE" --server-side --force-conflicts --field-manager=concierge-runner \
    --prune --applyset=configmaps/runner-applied --filename "$APPLIED" "$@" >/dev/null
}
apply --dry-run=server
apply

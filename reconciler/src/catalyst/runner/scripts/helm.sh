# Installs or upgrades one release. What could not be finished is undone.
set -eu
if [ ! -f "$CHART/Chart.yaml" ]; then
  echo "there is no chart (no Chart.yaml) at \"$CHART_PATH\" in the source; correct the template's path" >&2
  exit 1
fi
history() { helm history "$RELEASE" --namespace "$NAMESPACE" --output json "$@" 2>/dev/null; }
undo() {
  if history | grep -Eq '"status":"(deployed|superseded)"'; then
    helm rollback "$RELEASE" --namespace "$NAMESPACE" --timeout "$TIMEOUT"
  else
    helm uninstall "$RELEASE" --namespace "$NAMESPACE" --ignore-not-found --timeout "$TIMEOUT"
  fi >/dev/null
}
# A run that was stopped in the middle would hold up all that follow.
if history --max 1 | grep -q '"status":"pending-'; then undo; fi
helm upgrade --install --namespace "$NAMESPACE" --values "$VALUES" --timeout "$TIMEOUT" --history-max 5 --dependency-update \
  -- "$RELEASE" "$CHART" >/dev/null || {
  undo || echo "what was made of it could not be undone" >&2
  exit 1
}

# Fetches one commit of a repository into $SOURCE. What is asked for comes by variables, and is part of no command's text.
set -eu
case "$COMMIT" in
  '' | *[!0-9a-f]*) echo "\"$COMMIT\" is no commit; write all its 40 digits" >&2; exit 1 ;;
esac
export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ALLOW_PROTOCOL=https:http
git init -q -- "$SOURCE"
cd -- "$SOURCE"
if [ -n "${TOKEN_URL:-}" ]; then
  # For the repository's own server alone, wherever it leads to.
  git config "credential.$ORIGIN.helper" '!sh "$SCRIPTS/credential.sh"'
fi
git fetch -q --depth 1 --no-tags --no-recurse-submodules -- "$REPOSITORY" "$COMMIT"
git checkout -q --detach "$COMMIT"

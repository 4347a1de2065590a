# Puts what was fetched into $SOURCE onto the volume at $VOLUME, unless somebody has worked there. What is on the volume can make git run
# anything, so no token is where this runs.
set -eu
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ALLOW_PROTOCOL=file
# The volume and its files may be another user's.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
cd -- "$VOLUME"
git init -q
# No other git is at work here: the pods before this one are gone.
rm -f .git/index.lock .git/HEAD.lock
going=refs/concierge/going source=refs/concierge/source
finish() {
  git checkout -q -f --detach $going
  git update-ref $source HEAD
  git update-ref -d $going
}
# A container before this one was stopped in between: nobody has worked here since.
if git rev-parse -q --verify $going >/dev/null; then finish; fi
head=$(git rev-parse -q --verify HEAD || true)
stay() { echo "$1: all stays as it is, at commit $head"; exit 0; }
if [ -n "$head" ]; then
  [ "$head" = "$(git rev-parse -q --verify $source || true)" ] || stay "somebody has committed here, or checked something out"
  [ -z "$(git status --porcelain --untracked-files=no)" ] || stay "somebody has changed files here"
fi
git fetch -q --depth 1 --no-tags --no-recurse-submodules -- "$SOURCE" HEAD
if [ -z "$head" ]; then
  git config remote.origin.url "$REPOSITORY"
  git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
  git read-tree -n -m -u FETCH_HEAD
else
  git read-tree -n -m -u HEAD FETCH_HEAD || stay "files of nobody's commit are in the way"
fi
# From here on files change: what is begun is finished, whenever.
git update-ref $going FETCH_HEAD
finish

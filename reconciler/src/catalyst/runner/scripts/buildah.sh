# Builds an image and pushes it. What is asked for comes by variables, and is part of no command's text.
set -eu
if [ ! -f "$CONTEXT/$DOCKERFILE" ]; then
  echo "there is no \"$DOCKERFILE\" in the folder of the build; correct its dockerfile or path in the Project" >&2
  exit 1
fi
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah build --tls-verify="$TLS_VERIFY" --file "$CONTEXT/$DOCKERFILE" --tag "$IMAGE" -- "$CONTEXT"
buildah push --tls-verify="$TLS_VERIFY" -- "$IMAGE"

# What git asks when a server wants a password: the web application has the token, and knows this pod by its own.
set -eu
[ "$1" = get ] || exit 0
token=$(wget -q -T 30 -O - --header "Authorization: Bearer $(cat -- "$TOKEN_FILE")" "$TOKEN_URL") || {
  echo "the web application gave no token for the repository; is it reachable from here, and is githubInstallationId right?" >&2
  exit 1
}
printf 'username=x-access-token\npassword=%s\n' "$token"

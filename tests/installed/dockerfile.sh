#!/bin/sh
# Takes tools/packaging/Dockerfile at its word as far as that goes without Docker: what it copies is the whole source and
# nothing else, is enough to configure a build, and what it installs for that is tools/setup's. Usage: dockerfile.sh BUILD
set -eu
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "$0")/../.." && pwd)
dockerfile="$source/tools/packaging/Dockerfile"
work="$build/dockerfile"
rm -rf "$work"
mkdir -p "$work/source"
fail() { echo "dockerfile.sh: $*" >&2; exit 1; }

# COPY NAME… TO, of the stage that builds.
sed '/^FROM debian:12-slim/,$d' "$dockerfile" | grep '^COPY ' >"$work/copies"
while read -r _ words; do
  # shellcheck disable=SC2086
  set -- $words
  while [ $# -gt 1 ]; do
    case $1 in *[!A-Za-z0-9_./]* | . | ./ | ..*) fail "COPY $1: copy by name" ;; esac
    [ -e "$source/$1" ] || fail "COPY $1: there is no such file"
    mkdir -p "$(dirname "$work/source/$1")"
    cp -RT "$source/$1" "$work/source/$1"
    shift
  done
done <"$work/copies"

# What lies at the top is copied, or is of no use to a build.
for path in "$source"/*; do
  name=$(basename "$path")
  case $name in
    tests | findings | build | hearth-data | node_modules | compile_commands.json)
      [ ! -e "$work/source/$name" ] || fail "$name is copied"
      ;;
    *) diff -rq "$path" "$work/source/$name" || fail "$name is not copied" ;;
  esac
done
cmake -S "$work/source" --preset release -DBUILD_TESTING=OFF >"$work/configure.log" 2>&1 ||
  { cat "$work/configure.log"; fail "what it copies is not enough to configure a build"; }

# Packages by hand would be a second list.
sed '/^FROM debian:12-slim/,$d' "$dockerfile" >"$work/stage"
grep -q '^RUN apt-get update && tools/setup' "$work/stage" || fail "the build does not install what tools/setup lists"
if grep 'apt-get install' "$work/stage"; then fail "the build installs more than tools/setup lists"; fi

# And what the image runs with is a user of its own, not root.
user=$(sed -n 's/^USER //p' "$dockerfile")
case $user in "" | root | 0) fail "it runs as root" ;; esac
grep -q "useradd .* $user " "$dockerfile" || fail "nobody makes the user $user"
grep -q '^VOLUME /data$' "$dockerfile" || fail "it has no volume for the data"

# Its entry point serves, its health check tells whether, and its stop signal ends it well; here on a port that is free.
entry=$(sed -n 's/^ENTRYPOINT \["\/usr\/bin\/hearth", \(.*\)\]$/\1/p' "$dockerfile" | tr -d '",' |
  sed "s#/data#$work/data#; s/0\.0\.0\.0/127.0.0.1/")
# shellcheck disable=SC2086
"$build/bin/hearth" $entry --port 0 --namespace chat >"$work/serve.log" 2>"$work/serve.err" &
pid=$!
until grep -q '^hearth listening on ' "$work/serve.log"; do
  kill -0 $pid 2>/dev/null || { cat "$work/serve.err"; fail "the entry point does not serve"; }
  sleep 0.1
done
port=$(sed -n 's/^hearth listening on .*://p' "$work/serve.log")
check=$(sed -n '/^HEALTHCHECK /,/[^\]$/s/^ *CMD //p' "$dockerfile" | sed "s/:9000/:$port/g")
healthy=0
sh -c "${check:-false}" >"$work/health.log" 2>&1 || healthy=$?
kill -s "$(sed -n 's/^STOPSIGNAL SIG//p' "$dockerfile")" $pid || { kill $pid; fail "it has no STOPSIGNAL"; }
wait $pid || fail "the stop signal does not end it well"
if command -v curl >/dev/null; then
  [ $healthy = 0 ] || fail "the health check does not find it well: $(cat "$work/health.log")"
  if sh -c "$check" 2>/dev/null; then fail "the health check finds it well when it does not run"; fi
else
  echo "the health check was not tried: it wants curl, which 'tools/setup tests' installs"
fi
echo "the Dockerfile is well"

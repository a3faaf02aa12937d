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
    tests | build | hearth-data | node_modules | compile_commands.json)
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
for word in VOLUME STOPSIGNAL HEALTHCHECK; do
  grep -q "^$word " "$dockerfile" || fail "it has no $word"
done
# The entry point is flags that this program knows: with --help it says so and ends.
entry=$(sed -n 's/^ENTRYPOINT \["\/usr\/bin\/hearth", \(.*\)\]$/\1/p' "$dockerfile" | tr -d '",')
[ -n "$entry" ] || fail "the entry point is not hearth"
# shellcheck disable=SC2086
"$build/bin/hearth" $entry --help >/dev/null || fail "hearth $entry: is not understood"
echo "the Dockerfile is well"

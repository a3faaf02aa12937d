#!/bin/sh
# Builds the Debian packages of BUILD, looks into them, and installs the server's into a root of its own where this machine
# lets it. Usage: package.sh BUILD
set -eu
build=$(cd "$1" && pwd)
work="$build/packaged"
rm -rf "$work"
mkdir -p "$work"
(cd "$build" && cpack -G DEB -B "$work" >"$work/cpack.log" 2>&1) || { cat "$work/cpack.log"; exit 1; }
server=$(ls "$work"/hearth_*.deb)
development=$(ls "$work"/libhearth-dev_*.deb)

field() { dpkg-deb -f "$server" "$1"; }
[ "$(field Package)" = hearth ]
field Depends | grep -q 'libc6'
field Depends | grep -q 'libssl3'
dpkg-deb -c "$server" >"$work/server.list"
dpkg-deb -c "$development" >"$work/development.list"
grep -q ' ./usr/bin/hearth$' "$work/server.list"
grep -q ' ./usr/lib/systemd/system/hearth.service$' "$work/server.list"
grep -q ' ./usr/share/hearth/default$' "$work/server.list"
if grep '\.h$' "$work/server.list"; then exit 1; fi
grep -q ' ./usr/include/hearth/db/database.h$' "$work/development.list"
grep -q '/HearthConfig.cmake$' "$work/development.list"
dpkg-deb -I "$server" >"$work/server.info"
grep -q postinst "$work/server.info"

# What it installs works where it is installed.
dpkg-deb -x "$server" "$work/root"
"$work/root/usr/bin/hearth" --version
"$work/root/usr/bin/hearth" exec -- true

# As dpkg does it: into an empty root, with the script that makes the defaults.
if [ "$(id -u)" = 0 ] && command -v dpkg >/dev/null; then
  clean="$work/clean"
  mkdir -p "$clean/var/lib/dpkg/updates" "$clean/var/lib/dpkg/info"
  : >"$clean/var/lib/dpkg/status"
  dpkg --root="$clean" --force-depends --force-script-chrootless --no-triggers --unpack "$server" >"$work/dpkg.log" 2>&1 ||
    { cat "$work/dpkg.log"; exit 1; }
  [ -x "$clean/usr/bin/hearth" ]
  dpkg --root="$clean" -s hearth 2>/dev/null | grep -q '^Status: install ok unpacked'
fi

# The unit says nothing that systemd does not know.
if command -v systemd-analyze >/dev/null; then
  unit="$work/hearth.service"
  sed "s#/usr/bin/hearth#$work/root/usr/bin/hearth#; /^Documentation/d" "$work/root/usr/lib/systemd/system/hearth.service" >"$unit"
  systemd-analyze verify "$unit" 2>&1 | { ! grep -i 'hearth.service.*\(unknown\|failed\|invalid\)'; }
  systemd-analyze security --offline=true --threshold=25 "$unit" >"$work/security.log" 2>&1 || { tail -3 "$work/security.log"; exit 1; }
fi
echo "packages are well"

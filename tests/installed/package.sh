#!/bin/sh
# Builds the Debian packages of BUILD and looks into them; lifecycle.sh installs them. Usage: package.sh BUILD
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work="$build/packaged"
rm -rf "$work"
mkdir -p "$work"
(cd "$build" && cpack -G DEB -B "$work" >"$work/cpack.log" 2>&1) || { cat "$work/cpack.log"; exit 1; }
server=$(ls "$work"/hearth_*.deb)
development=$(ls "$work"/libhearth-dev_*.deb)
fail() { echo "package.sh: $*" >&2; exit 1; }

[ "$(dpkg-deb -f "$server" Package)" = hearth ] || fail "$server is not of the package hearth"
for library in libc6 libssl3; do
  dpkg-deb -f "$server" Depends | grep -q "$library" || fail "hearth does not depend on $library"
done
dpkg-deb -c "$server" >"$work/server.list"
dpkg-deb -c "$development" >"$work/development.list"
for file in usr/bin/hearth usr/lib/systemd/system/hearth.service etc/default/hearth usr/share/doc/hearth/copyright \
  usr/share/doc/hearth/README.md usr/share/doc/hearth/manual/service.md; do
  grep -q " ./$file\$" "$work/server.list" || fail "hearth lacks $file"
done
for chapter in "$here"/../../tools/manual/*.md; do
  page=usr/share/man/man7/hearth-$(basename "$chapter" .md).7.gz
  grep -q " ./$page\$" "$work/server.list" || fail "hearth lacks $page"
done
grep -q ' ./usr/share/man/man1/hearth\.1\.gz$' "$work/server.list" || fail "hearth lacks its page hearth(1)"
if grep '\.h$' "$work/server.list"; then fail "hearth has headers"; fi
for file in usr/include/hearth/db/database.h usr/include/hearth.h usr/share/doc/libhearth-dev/copyright; do
  grep -q " ./$file\$" "$work/development.list" || fail "libhearth-dev lacks $file"
done
grep -q '/HearthConfig.cmake$' "$work/development.list" || fail "libhearth-dev lacks HearthConfig.cmake"

# The scripts, for any user to run; and what dpkg keeps when it was edited.
dpkg-deb -e "$server" "$work/control"
for script in postinst prerm postrm; do
  [ "$(stat -c %a "$work/control/$script")" = 755 ] || fail "$script is not executable"
  sh -n "$work/control/$script"
done
[ "$(cat "$work/control/conffiles")" = /etc/default/hearth ] || fail "/etc/default/hearth is no conffile"

# An app links to what it links to: each of these is what tools/setup installs for a build.
setup=$(sed -n '/^set -- /,/[^\\]$/p' "$here/../../tools/setup")
for package in $(dpkg-deb -f "$development" Depends | sed 's/([^)]*)//g; s/[,|]/ /g'); do
  case $package in
    *-dev)
      echo "$setup" | tr ' ' '\n' | grep -qxF "$package" || fail "libhearth-dev depends on $package, tools/setup has it not"
      ;;
  esac
done

# What it installs works where it is installed.
dpkg-deb -x "$server" "$work/root"
"$work/root/usr/bin/hearth" --version
"$work/root/usr/bin/hearth" exec -- true

# The manual pages: nothing in them is strange to what shows them, and no Markdown is left.
for page in "$work"/root/usr/share/man/man*/*.gz; do
  for command in "man --warnings=w --local-file" "mandoc -T lint -W warning"; do
    command -v "${command%% *}" >/dev/null || continue
    gunzip -c "$page" >"$work/page"
    # shellcheck disable=SC2086
    MANWIDTH=80 MANPAGER=cat PAGER=cat $command "$work/page" >"$work/page.text" 2>"$work/page.warnings" ||
      { cat "$work/page.text" "$work/page.warnings"; fail "$command: $page"; }
    if grep . "$work/page.warnings"; then fail "$command warns of $page"; fi
    if grep -F -e '](' -e '```' -e '**' "$work/page.text"; then fail "$page has Markdown in it"; fi
  done
done
for command in serve get namespace help; do
  gunzip -c "$work/root/usr/share/man/man1/hearth.1.gz" | grep -q "$command" || fail "hearth(1) lacks the command $command"
done

# What the unit runs is there on the smallest system, which has no /bin/kill.
sed -n 's/^Exec[A-Za-z]*=[-+!:@]*\([^ ]*\).*/\1/p' "$work/root/usr/lib/systemd/system/hearth.service" >"$work/unit.programs"
grep -qx /usr/bin/hearth "$work/unit.programs" || fail "the unit does not run hearth"
if grep -vx -e /usr/bin/hearth -e /bin/sh "$work/unit.programs"; then fail "the unit runs what it does not depend on"; fi

# The unit says nothing that systemd does not know, and keeps what runs in it to itself.
if command -v systemd-analyze >/dev/null; then
  unit="$work/hearth.service"
  sed "s#/usr/bin/hearth#$work/root/usr/bin/hearth#; /^Documentation/d" \
    "$work/root/usr/lib/systemd/system/hearth.service" >"$unit"
  systemd-analyze verify "$unit" >"$work/verify.log" 2>&1 || true  # it complains of what the machine lacks, too
  if grep 'hearth\.service' "$work/verify.log"; then fail "systemd-analyze verify does not like the unit"; fi
  systemd-analyze security --offline=true --threshold=15 "$unit" >"$work/security.log" 2>&1 ||
    { cat "$work/security.log"; fail "systemd-analyze security finds too much exposed"; }
fi
echo "packages are well"

#!/bin/sh
# What dpkg does with the packages that package.sh made of BUILD, in a root of their own: installed, installed again,
# upgraded, removed, purged. Wants root. Usage: lifecycle.sh BUILD
set -eu
build=$(cd "$1" && pwd)
work="$build/packaged/lifecycle"
server=$(ls "$build"/packaged/hearth_*.deb)
development=$(ls "$build"/packaged/libhearth-dev_*.deb)
if [ "$(id -u)" != 0 ]; then
  echo "skipped: dpkg installs as root alone, and this is $(id -un)"
  exit 77
fi
rm -rf "$work"
clean="$work/root"
mkdir -p "$clean/var/lib/dpkg/updates" "$clean/var/lib/dpkg/info" "$work/bin"
: >"$clean/var/lib/dpkg/status"
fail() { echo "lifecycle.sh: $*" >&2; exit 1; }

# Every call of what would change this machine is noted, and then made.
real=$(command -v systemctl || true)
for program in systemctl ldconfig; do
  path=$(command -v $program || true)
  cat >"$work/bin/$program" <<END
#!/bin/sh
echo "$program \$*" >>"$work/calls.log"
[ -z "$path" ] || exec "$path" "\$@"
END
  chmod +x "$work/bin/$program"
done
: >"$work/calls.log"

# Without network: what they depend on is this machine's.
in_root() {
  PATH="$work/bin:$PATH" DEBIAN_FRONTEND=noninteractive dpkg --root="$clean" --force-depends --force-script-chrootless \
    --force-confold --no-triggers "$@" </dev/null >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "dpkg $*"; }
}
is() {
  status=$(dpkg-query --admindir="$clean/var/lib/dpkg" -W -f='${Status} ${Version}' "$1" 2>/dev/null || true)
  [ "$status" = "$2" ] || fail "$1 is '$status' and not '$2'"
}
has() { [ -e "$clean/$1" ] || fail "$1 is missing"; }
lacks() { if [ -e "$clean/$1" ] || [ -L "$clean/$1" ]; then fail "$1 is there still"; fi; }

# Serves as the unit does, with the flags of /etc/default/hearth, while the arguments are run.
while_serving() {
  : >"$work/serve.log"
  # shellcheck source=/dev/null
  (. "$clean/etc/default/hearth"
    # shellcheck disable=SC2086
    exec "$clean/usr/bin/hearth" serve --data "$clean/var/lib/hearth" --host 127.0.0.1 --port 0 $HEARTH_FLAGS) \
    >"$work/serve.log" 2>"$work/serve.err" &
  pid=$!
  until grep -q '^hearth listening on ' "$work/serve.log"; do
    kill -0 $pid 2>/dev/null || { cat "$work/serve.err"; fail "hearth serve ended"; }
    sleep 0.1
  done
  HEARTH_URL=$(sed -n 's/^hearth listening on //p' "$work/serve.log") "$@" || { kill $pid; fail "$*"; }
  kill -TERM $pid
  wait $pid || fail "hearth serve did not end well"
}
hearth() { "$clean/usr/bin/hearth" "$@" --data "$clean/var/lib/hearth"; }
export_url() { export HEARTH_URL; hearth "$@"; }
reads() { export HEARTH_URL; [ "$(hearth get /tea)" = "$1" ]; }

version=$(dpkg-deb -f "$server" Version)
mkdir -p "$clean/etc/systemd/system"
in_root -i "$server" "$development"
is hearth "install ok installed $version"
is libhearth-dev "install ok installed $version"
has usr/bin/hearth
has usr/lib/systemd/system/hearth.service
has etc/default/hearth
has usr/include/hearth/db/database.h
lacks var/lib/hearth  # the unit makes it
while_serving export_url set /tea green
[ -z "$real" ] || "$real" --quiet --root="$clean" enable hearth.service

in_root -i "$server"
is hearth "install ok installed $version"
[ -z "$real" ] || [ -L "$clean/etc/systemd/system/multi-user.target.wants/hearth.service" ] || fail "a reinstall disabled it"

# The next version: its defaults are taken where nobody edited them.
dpkg-deb -R "$server" "$work/next"
sed -i "s/^Version: .*/Version: $version+1/" "$work/next/DEBIAN/control"
echo '# of the next version' >>"$work/next/etc/default/hearth"
dpkg-deb --root-owner-group -b "$work/next" "$work/next.deb" >/dev/null
in_root -i "$work/next.deb"
is hearth "install ok installed $version+1"
grep -q 'of the next version' "$clean/etc/default/hearth" || fail "the next version's defaults were not taken"
while_serving reads '"green"'

# And kept where somebody did.
echo '# edited' >>"$clean/etc/default/hearth"
in_root -i "$server"
is hearth "install ok installed $version"
grep -q '^# edited' "$clean/etc/default/hearth" || fail "edited defaults were overwritten"

in_root -r hearth
is hearth "deinstall ok config-files $version"
lacks usr/bin/hearth
lacks usr/lib/systemd/system/hearth.service
lacks etc/systemd/system/multi-user.target.wants/hearth.service
grep -q '^# edited' "$clean/etc/default/hearth" || fail "edited defaults were removed"
has var/lib/hearth/admin-secret

in_root -i "$server"
is hearth "install ok installed $version"
grep -q '^# edited' "$clean/etc/default/hearth" || fail "edited defaults were overwritten by an install after a removal"
while_serving reads '"green"'

in_root -P hearth libhearth-dev
grep -q "the data stay in $clean/var/lib/hearth" "$work/dpkg.log" || fail "a purge does not say where the data are"
is hearth ""
is libhearth-dev ""
lacks etc/default/hearth
has var/lib/hearth/admin-secret
left=$(cd "$clean" && find . ! -type d ! -path './var/lib/dpkg/*' ! -path './var/lib/hearth/*')
[ -z "$left" ] || fail "a purge leaves $left"

# Of this machine itself nothing was asked.
if grep -v -e "--root=$clean/ " "$work/calls.log"; then fail "a script meddled with this machine"; fi
echo "packages come and go well"

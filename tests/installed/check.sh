#!/bin/sh
# Installs BUILD to a place of its own, then builds and runs the projects here as a stranger would: with CMake, and with
# pkg-config from C. Usage: check.sh BUILD
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work="$build/installed"
rm -rf "$work"
mkdir -p "$work"

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"
"$work/prefix/bin/hearth" --version

cmake -S "$here" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
  >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build"
"$work/build/app" "$work/app-data" | tee "$work/app.log"
grep -q '^one tea was sold$' "$work/app.log"
grep -q '^9$' "$work/app.log"
grep -q 'Permission denied' "$work/app.log"
grep -q '^done$' "$work/app.log"
"$work/build/tick" "$work/tick-data"

config="$work/prefix/lib/pkgconfig"
[ -d "$config" ] || config=$(dirname "$(find "$work/prefix" -name hearth.pc)")
export PKG_CONFIG_PATH="$config"
# shellcheck disable=SC2046
cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror "$here/app.c" -o "$work/app_c" $(pkg-config --cflags --libs hearth) \
  -Wl,-rpath,"$(pkg-config --variable=libdir hearth)"
"$work/app_c" "$work/app-c-data"
# The same without a shared library: what the linker needs is said too, and C++ besides.
# shellcheck disable=SC2046
c++ -x c -std=c11 -D_POSIX_C_SOURCE=200809L -c "$here/app.c" -o "$work/app.o" $(pkg-config --cflags hearth) 2>/dev/null ||
  cc -std=c11 -D_POSIX_C_SOURCE=200809L -c "$here/app.c" -o "$work/app.o" $(pkg-config --cflags hearth)
c++ "$work/app.o" -o "$work/app_static" "$(pkg-config --variable=libdir hearth)/libhearth.a" \
  $(pkg-config --static --libs-only-l hearth | sed 's/-lhearth//')
"$work/app_static" "$work/app-static-data"

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
grep -q '^nobody: Permission denied; Ada: it costs 4$' "$work/app.log"
grep -q '"error" : "Permission denied"' "$work/app.log"
grep -q '^done$' "$work/app.log"
"$work/build/tick" "$work/tick-data"
[ "$("$work/build/quiet" "$work/quiet-data")" = quiet ]
[ "$("$work/build/quiet_shared" "$work/quiet-data")" = quiet ]

# An app with the shared library alone: nothing of what it is made of is looked for, and nothing of that is to be seen.
cmake -S "$here" -B "$work/shared" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" -DONLY_SHARED=ON >"$work/configure.log" ||
  { cat "$work/configure.log"; exit 1; }
cmake --build "$work/shared" --target tick
"$work/shared/tick" "$work/tick-data-2"
library=$(find "$work/prefix" -name libhearth.so)
if nm -DC --defined-only "$library" | cut -d' ' -f3- | grep -vE '^(hearth|((typeinfo|typeinfo name|vtable|VTT|guard variable) for hearth::))'; then
  echo "libhearth.so shows what is not Hearth's" >&2
  exit 1
fi
if grep -aq hearth_console_file "$(find "$work/prefix" -name libhearth.a)"; then
  echo "libhearth.a has the console's files, which are the program's alone" >&2
  exit 1
fi
readelf -d "$library" | grep -q 'soname: \[libhearth.so.0.1\]'

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

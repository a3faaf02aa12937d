#!/bin/sh
# RocksDB 7.8.3 (Debian 12, librocksdb-dev 7.8.3-2) guesses how many entries of a range wait in memory by the heights of its
# skip list, which each process draws anew. For one and the same data GetApproximateMemTableStats, and with it
# GetApproximateSizes with include_memtables, says anything between none and all: the guess of a small range is a difference of two
# guesses of all that comes before it.
#
# Seen for a range of 10,000 entries among 210,000, in 14 processes:
#   0  0  0  0  2364  5241  6281  8047  9777  18439  22506  33963  93639  210000
#
# Whoever shows sizes of ranges by that (a console, a quota, a choice between two plans) shows luck for what was written
# last, and not "about". Exit 0: seen again (the highest of 25 is more than four times the lowest); 1: it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q librocksdb-dev=7.8.3-2 librocksdb7.8=7.8.3-2 >/dev/null
for package in *.deb; do dpkg -x "$package" unpacked; done
cat > try.cc <<'CC'
#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <cstdio>
#include <string>

std::string key(char part, int number) {
  char text[32];
  snprintf(text, sizeof text, "%c%07d", part, number);
  return text;
}

int main(int, char** argv) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 256 << 20;
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::Open(options, argv[1], &db).ok()) return 1;
  rocksdb::WriteOptions write;
  write.disableWAL = true;
  const std::string value(100, 'v');
  for (int i = 0; i < 100'000; ++i) db->Put(write, key('a', i), value);
  for (int i = 0; i < 10'000; ++i) db->Put(write, key('b', i), value);
  for (int i = 0; i < 100'000; ++i) db->Put(write, key('c', i), value);
  uint64_t count = 0, size = 0;
  db->GetApproximateMemTableStats(rocksdb::Range("b", "c"), &count, &size);
  printf("%lu\n", static_cast<unsigned long>(count));
  delete db;
}
CC
library=$(dirname "$(find unpacked -name 'librocksdb.so.7.8*' | head -1)")
g++ -std=c++17 -O1 -I unpacked/usr/include try.cc -L "$library" -l:librocksdb.so.7.8 -Wl,-rpath,"$PWD/$library" -o try
for run in $(seq 25); do ./try "data$run" && rm -rf "data$run"; done | sort -n | tee seen | tr '\n' ' '
echo
lowest=$(head -1 seen)
highest=$(tail -1 seen)
[ "$highest" -gt $((4 * lowest)) ] && [ "$highest" -gt 10000 ]

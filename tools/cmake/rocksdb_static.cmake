# rocksdb_static: Debian's librocksdb.a and what it needs. Static, because calls through the PLT and TLS cost 11-30 % of
# a write (db/store/machine-facts.md §2.1).
find_library(ROCKSDB_ARCHIVE NAMES librocksdb.a REQUIRED)
find_path(ROCKSDB_INCLUDE rocksdb/db.h REQUIRED)
add_library(rocksdb_static INTERFACE)
target_include_directories(rocksdb_static SYSTEM INTERFACE ${ROCKSDB_INCLUDE})
target_link_libraries(rocksdb_static INTERFACE ${ROCKSDB_ARCHIVE} zstd lz4 snappy bz2 z dl Threads::Threads)

#!/bin/sh
# A commit that waits for a synchronous standby, and whose wait is cancelled, is answered as a success with a WARNING beside it
# that it may not be on any standby. A role or a database may have client_min_messages = error, and then the client is told of
# a success alone: nothing that it can see tells the commit that may be lost from one that is safe.
#
# Seen with PostgreSQL 15.20 (Debian 12):
#   with warnings:    WARNING:  canceling wait for synchronous replication due to user request / INSERT 0 1
#   without warnings: INSERT 0 1
#
# So who relies on synchronous standbys sets client_min_messages on each connection, as synchronous_commit, and watches for
# SQLSTATE 01000 (db/log/postgres/connection.cc does). Exit 0: seen again; 1: it has changed.
set -eu
bin=/usr/lib/postgresql/15/bin
folder=$(mktemp -d)
port=$((20000 + $$ % 20000))
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups env -C / LC_ALL=C.UTF-8 "$@"; else "$@"; fi; }
trap 'as $bin/pg_ctl -D "$folder/a" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; fi
as $bin/initdb -D "$folder/a" -U try --auth=trust --no-sync >/dev/null
printf '%s\n' "listen_addresses = '127.0.0.1'" "unix_socket_directories = ''" "port = $port" >>"$folder/a/postgresql.conf"
as $bin/pg_ctl -D "$folder/a" -l "$folder/log" -w start >/dev/null
ask() { psql -XAt -h 127.0.0.1 -p "$port" -U try -d postgres "$@"; }
ask -qc 'CREATE TABLE t (n int)'
ask -qc "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" -c 'SELECT pg_reload_conf()' >/dev/null
insert() {  # waits for nobody, until it is cancelled
  PGOPTIONS="-c client_min_messages=$1" ask -c 'INSERT INTO t VALUES (1)' >"$folder/out" 2>&1 &
  for i in $(seq 100); do
    pid=$(PGOPTIONS='-c synchronous_commit=local' ask -c "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    [ -z "$pid" ] || break
    sleep 0.1
  done
  ask -qc "SELECT pg_cancel_backend($pid)" >/dev/null
  wait $!
  cat "$folder/out"
}
with=$(insert warning) without=$(insert error)
echo "with warnings:    $(echo "$with" | tr '\n' '/')"
echo "without warnings: $without"
echo "$with" | grep -q 'WARNING:  canceling wait' && [ "$without" = 'INSERT 0 1' ]

#!/bin/sh
# In targaryen 3.1.0, which unit-tests Firebase's security rules, `now` has a value in `.write` and `.validate` rules and none
# in `.read` rules: a read that the service allows until a moment of the data is denied in the test, whatever that moment is.
# Even `now == now` denies. A database made with a `now` of its own does not help; `now` has to be given to each read().
#
# Seen with targaryen 3.1.0 (npm), Node 20:
#   read, rule "now == now":                     denied
#   read, rule "data.child('until').val() > now": denied
#   the same, with `now` given to read():         allowed
#   write, rule "now == now":                     allowed
#
# Whoever moves such tests to Hearth sees reads allowed that targaryen denied. Exit 0: seen again; 1: it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --no-audit --no-fund --silent targaryen@3.1.0
cat > try.cjs <<'JS'
const targaryen = require('targaryen');
const data = { until: 4102444800000 };
const of = (kind, rule) => targaryen.database({ rules: { [kind]: rule } }, data, Date.now()).as(null);
const word = (result) => (result.allowed ? 'allowed' : 'denied');
const until = "data.child('until').val() > now";
const seen = [
  word(of('.read', 'now == now').read('/')),
  word(of('.read', until).read('/')),
  word(of('.read', until).read('/', { now: Date.now() })),
  word(of('.write', 'now == now').write('/a', 1)),
].join(' ');
console.log(seen);
process.exit(seen === 'denied denied allowed allowed' ? 0 : 1);
JS
node try.cjs

#!/bin/sh
# yjs 13.6: an edit whose needs have all come may stay unseen, because it waits together with an edit of somebody else that still
# misses something. Later edits do not bring it up; what is missing does, or the edit itself when it is sent again.
#
# Ada types a, b, c; Ben, who has all three, puts X between b and c; Ada types d and e; Cleo types Z. The reader is given the
# updates in the order a, X, e, b, c, Z. Only d is missing, which X does not need.
#
# Seen with yjs 13.6.27 (npm), Node 20:
#   a X e b c Z: "abcZ", X is not seen
#   and X again: "abXcZ"
#   the same as one merged update: "abXcZ"
#
# A client that has lost one update shows less than it has. Who compares replicas, or reads a document on a server, should
# merge the updates first. Exit 0: seen again; 1: it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --no-audit --no-fund --silent yjs@13.6.27
cat > try.cjs <<'JS'
const Y = require('yjs');
const writer = (clientID) => {
  const doc = new Y.Doc();
  doc.clientID = clientID;
  const updates = [];
  doc.on('update', (update, origin) => origin !== 'other' && updates.push(update));
  return { doc, updates, text: doc.getText('t') };
};
const read = (updates) => {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc.getText('t').toString();
};
const [ada, ben] = [writer(1), writer(2)];
for (const letter of 'abc') ada.text.insert(ada.text.length, letter);
for (const update of ada.updates) Y.applyUpdate(ben.doc, update, 'other');
ben.text.insert(2, 'X');
for (const letter of 'de') ada.text.insert(ada.text.length, letter);
const cleo = writer(3);
cleo.text.insert(0, 'Z');
const [a, b, c, , e] = ada.updates;
const [x] = ben.updates;
const [z] = cleo.updates;
const order = [a, x, e, b, c, z];
const [once, again, merged] = [read(order), read([...order, x]), read([Y.mergeUpdates(order)])];
console.log(`a X e b c Z: "${once}"${once.includes('X') ? '' : ', X is not seen'}`);
console.log(`and X again: "${again}"`);
console.log(`the same as one merged update: "${merged}"`);
process.exitCode = once === 'abcZ' && again === 'abXcZ' && merged === 'abXcZ' ? 0 : 1;
JS
node try.cjs

#!/bin/sh
# yjs 13.6: mergeUpdates, the function for servers that keep updates and no document, puts updates together and joins nothing
# within them. 2,000 letters typed one after another are six times as large as the same document from encodeStateAsUpdate,
# and merging that again helps nothing. What was deleted stays in it, letter by letter, readable.
#
# Seen with yjs 13.6.27 (npm), Node 20:
#   2000 updates of one letter, merged: 11878 bytes; merged once more: 11878; from a document: 2011
#   a word that was deleted is in the merged update: true; in the one from a document: false
#
# A server that "compacts" its store by mergeUpdates keeps what its users have deleted, and reads six bytes for a letter at
# each open. A Y.Doc, or an own compaction, is needed for both. Exit 0: seen again; 1: it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --no-audit --no-fund --silent yjs@13.6.27
cat > try.cjs <<'JS'
const Y = require('yjs');
const typed = (text) => {
  const doc = new Y.Doc();
  doc.clientID = 1;
  const updates = [];
  doc.on('update', (update) => updates.push(update));
  for (let i = 0; i < text.length; i += 1) doc.getText('t').insert(i, text[i]);
  return { doc, updates };
};
const long = typed('x'.repeat(2000));
const merged = Y.mergeUpdates(long.updates);
const [once, twice, whole] = [merged, Y.mergeUpdates([merged]), Y.encodeStateAsUpdate(long.doc)].map(({ length }) => length);
console.log(`2000 updates of one letter, merged: ${once} bytes; merged once more: ${twice}; from a document: ${whole}`);
const short = typed('secret');
short.doc.getText('t').delete(0, 6);
const letters = (update) => Y.decodeUpdate(update).structs.map(({ content }) => content?.str ?? '').join('');
const [kept, gone] = [Y.mergeUpdates(short.updates), Y.encodeStateAsUpdate(short.doc)].map((update) => letters(update) === 'secret');
console.log(`a word that was deleted is in the merged update: ${kept}; in the one from a document: ${gone}`);
process.exitCode = once > 5 * whole && twice === once && kept && !gone ? 0 : 1;
JS
node try.cjs

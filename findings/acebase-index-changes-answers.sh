#!/bin/sh
# AceBase 1.29: the same query of the same data answers otherwise once its child is indexed, where not all children have a number
# there. Without an index a filter `<` compares as JavaScript does, so the text "2" and true count, and children without the value do
# not. With an index the text is out, and children that have no such value at all are in.
#
# /things: a has v = 1, b has v = "2", c has v = true, d has v = 10, e has no v. Asked for: v < 5, and v != 1.
#
# Seen with acebase 1.29.13 (npm), Node 20:
#   v < 5     without an index: a b c     with one: a c e
#   v != 1    without an index: b c d     with one: b c d e
#
# Who moves a tree from there compares answers, and not queries: which ones were given hung on an index that is made and dropped while
# apps run. Exit 0: seen again; 1: it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent acebase@1.29.13
cat > try.cjs <<'JS'
const { AceBase } = require('acebase');
async function main() {
  const db = new AceBase('tree', { logLevel: 'error', sponsor: true, storage: { path: process.cwd() } });
  await db.ready();
  await db.ref('things').set({ a: { v: 1 }, b: { v: '2' }, c: { v: true }, d: { v: 10 }, e: { w: 1 } });
  const answer = async (how, than) => {
    const found = await db.query('things').filter('v', how, than).get();
    return found.map(({ key }) => key).sort().join(' ');
  };
  const all = async () => ({ 'v < 5': await answer('<', 5), 'v != 1': await answer('!=', 1) });
  const without = await all();
  await db.indexes.create('things', 'v');
  const indexed = await all();
  for (const query of Object.keys(without)) console.log(`${query}: without an index ${without[query]}; with one ${indexed[query]}`);
  const isSame = without['v < 5'] === 'a b c' && indexed['v < 5'] === 'a c e' && without['v != 1'] === 'b c d' && indexed['v != 1'] === 'b c d e';
  process.exit(isSame ? 0 : 1);
}
main();
JS
timeout 60 node try.cjs

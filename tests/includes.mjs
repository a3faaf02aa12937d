// Draws what includes what: a box for each folder of sources, an arrow to each folder that its files include.
//
//   node tests/includes.mjs           writes tests/includes.svg
//   node tests/includes.mjs --check   exits with 1 when that picture is not what the code says
//
// A folder stands above all that it includes, so every arrow points down; a circle of folders is an error. An arrow that
// others imply (a to c, beside a to b to c) is left out: the picture shows the design, and the link graph is the same.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const picture = new URL('includes.svg', import.meta.url);

const files = execFileSync('git', ['-C', root, 'ls-files', 'db', 'net', 'rules', 'tools'], { encoding: 'utf8' })
  .split('\n').filter((file) => /\.(h|cc)$/.test(file));
const folderOf = (file) => dirname(file).replace(/^tools.*/, 'tools'); // one program
const includes = new Map(); // folder → the folders that its files include
for (const file of files) {
  const folder = folderOf(file);
  if (!includes.has(folder)) includes.set(folder, new Set());
  for (const [, other] of readFileSync(`${root}/${file}`, 'utf8').matchAll(/^#include "((?:db|net|rules|tools)\/[^"]+)"/gm)) {
    if (folderOf(other) !== folder) includes.get(folder).add(folderOf(other));
  }
}

// One header of net is for its own folders, and lies above them for want of a folder below: error_reply.h and
// host_namespace.h include nothing of net, so they make no circle of files. They count as a folder of their own.
const shared = 'net/*.h';
const isShared = (file) => /^net\/(error_reply|host_namespace)\.h$/.test(file);
includes.set(shared, new Set(['db/base']));
for (const [folder, others] of includes) {
  if (!others.has('net') || folder === 'net/c' || folder.startsWith('tools')) continue;
  const named = files.filter((file) => folderOf(file) === folder)
    .flatMap((file) => [...readFileSync(`${root}/${file}`, 'utf8').matchAll(/^#include "(net\/[^"/]+)"/gm)].map(([, name]) => name));
  if (!named.every(isShared)) continue;
  others.delete('net');
  others.add(shared);
}

const heights = new Map();
function height(folder, above = []) {
  if (above.includes(folder)) throw new Error(`a circle: ${[...above, folder].join(' → ')}`);
  if (!heights.has(folder)) {
    heights.set(folder, Math.max(-1, ...[...includes.get(folder)].map((other) => height(other, [...above, folder]))) + 1);
  }
  return heights.get(folder);
}
for (const folder of includes.keys()) height(folder);
// Each as near as can be to those that include it.
const top = Math.max(...heights.values());
for (const folder of [...includes.keys()].sort((a, b) => heights.get(b) - heights.get(a))) {
  const above = [...includes.keys()].filter((other) => includes.get(other).has(folder)).map((other) => heights.get(other));
  heights.set(folder, Math.min(top + 1, ...above) - 1);
}

const reaches = (from, to) => [...includes.get(from)].some((other) => other === to || reaches(other, to));
const arrows = [...includes].flatMap(([from, others]) =>
  [...others].filter((to) => ![...others].some((other) => other !== to && reaches(other, to))).map((to) => [from, to]));

const [tall, boxWidth, boxHeight, gap] = [64, 118, 30, 16];
const lefts = { db: 16, rules: 300, net: 434, tools: 816 };
const places = new Map();
const taken = {};
for (const [folder, row] of [...heights].sort()) {
  const kind = folder.split('/')[0];
  const column = (taken[`${kind} ${row}`] = (taken[`${kind} ${row}`] ?? -1) + 1);
  places.set(folder, { x: lefts[kind] + column * (boxWidth + gap), y: (top - row) * tall + 10 });
}
const wide = Math.max(...[...places.values()].map(({ x }) => x)) + boxWidth + gap;
const kinds = { db: '#2f6f9f', rules: '#7a5195', net: '#b8552e', tools: '#4b7f3a' };
const lines = arrows.map(([from, to]) => {
  const [a, b] = [places.get(from), places.get(to)];
  const [x1, y1, x2, y2] = [a.x + boxWidth / 2, a.y + boxHeight, b.x + boxWidth / 2, b.y - 4];
  const bend = (y2 - y1) / 2;
  return `<path d="M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}" stroke="${kinds[from.split('/')[0]]}"/>`;
});
const boxes = [...places].map(([folder, { x, y }]) =>
  `<rect x="${x}" y="${y}" width="${boxWidth}" height="${boxHeight}" rx="5" fill="${kinds[folder.split('/')[0]]}"/>` +
  `<text x="${x + boxWidth / 2}" y="${y + 20}">${folder}</text>`);
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${wide} ${(top + 1) * tall - 14}" font-family="monospace" font-size="13">
<title>What includes what: every arrow points down</title>
<defs><marker id="head" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#777"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>
<g fill="none" stroke-width="1.3" stroke-opacity=".75" marker-end="url(#head)">
${lines.join('\n')}
</g>
<g text-anchor="middle" fill="#fff">
${boxes.join('\n')}
</g>
</svg>
`;

if (process.argv[2] !== '--check') {
  writeFileSync(picture, svg);
} else if (readFileSync(picture, 'utf8') !== svg) {
  console.error('tests/includes.svg is not what the code says: run node tests/includes.mjs, and look at it');
  process.exit(1);
}

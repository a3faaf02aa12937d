// What history costs (tools/manual/history.md): the same work without it, with the log, and with versions too, in one run.
//
//   node tests/bench/history.mjs                 five minutes; exits with 1 when a figure is past what is promised
//   node tests/bench/history.mjs --rounds 1      a first look
//
//   for each round, for each of off | 24h,1GB | 24h,1GB,versions:
//     hearth bench writes                        processor time of the server for a durable put, many at a time
//     PUT of 1,000,000 leaves in parts           time, and bytes of the folder
//     PATCHes of 100,000 leaves                  bytes of the folder
//     kill -9, and a start
//     DELETE of all                              time
//
// Rounds are interleaved, and of each figure the lowest counts: what else the machine does only adds. The server is
// build/release/bin/hearth, or $HEARTH_BIN.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Server, program } from '../sdk/support/server.mjs';
import { cpuOf, rest } from './cpu_of.mjs';

const { values: flags } = parseArgs({
  options: {
    leaves: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    time: { type: 'string', default: '5' }, // seconds of puts
  },
});
const leaves = Number(flags.leaves);
const kinds = ['off', '24h,1GB', '24h,1GB,versions'];
const promised = { put: [1, 1.3, 1.7], deletion: [1, 3, 3] }; // times what it costs without
const leavesOfParent = 1_000;
const changedLeaves = 100_000;

function bytesOf(folder) {
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true })) {
    const entry = statSync(join(folder, name), { throwIfNoEntry: false });
    if (entry?.isFile()) bytes += entry.size;
  }
  return bytes;
}

async function ask(server, method, path, value) {
  const response = await fetch(`${server.url}${path}.json?print=silent`, { method, body: value && JSON.stringify(value) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
}

async function measure(kind) {
  const bench = JSON.parse(execFileSync(program, ['bench', 'writes', '--json', '--time', flags.time, '--history', kind], { stdio: ['ignore', 'pipe', 'ignore'] }));
  const figures = { put: bench[0].figures.server_cpu_us_per_write };
  const server = new Server(['--dev', '--max-request-rate', '0', '--history', kind]);
  try {
    await server.start();
    const parents = leaves / leavesOfParent;
    let begin = performance.now();
    for (let from = 0; from < parents; from += 100) {
      const part = {};
      for (let p = from; p < Math.min(parents, from + 100); ++p) {
        part[`p${p}`] = Object.fromEntries(Array.from({ length: leavesOfParent }, (_, k) => [`k${k}`, `sixteen bytes ${p * k}`]));
      }
      await ask(server, 'PATCH', '/tree', part);
    }
    figures.fill = (performance.now() - begin) / 1_000;
    await rest(server.pid);
    figures.bytes = bytesOf(server.data) / 1e6;
    for (let n = 0; n < changedLeaves; n += leavesOfParent) {
      const part = {};
      for (let i = n; i < n + leavesOfParent; ++i) part[`p${i % parents}/k${Math.floor(i / parents)}`] = `changed ${i}`;
      await ask(server, 'PATCH', '/tree', part);
    }
    await rest(server.pid);
    figures.bytesAfter = bytesOf(server.data) / 1e6;
    await server.kill();
    begin = performance.now();
    await server.start();
    figures.start = (performance.now() - begin) / 1_000;
    await rest(server.pid);
    begin = performance.now();
    await ask(server, 'DELETE', '/tree');
    figures.deletion = performance.now() - begin;
    await rest(server.pid);
  } finally {
    await server.end();
  }
  return figures;
}

const lowest = kinds.map(() => ({}));
for (let round = 0; round < Number(flags.rounds); ++round) {
  for (const [i, kind] of kinds.entries()) {
    for (const [name, value] of Object.entries(await measure(kind))) lowest[i][name] = Math.min(lowest[i][name] ?? Infinity, value);
  }
}
const rows = [
  ['put', 'processor time of a durable put, many at a time', 'us', 1],
  ['fill', `${leaves} leaves are written, in parts of 100,000`, 's', 2],
  ['bytes', 'the folder then', 'MB', 1],
  ['bytesAfter', `the folder once ${changedLeaves} of them were changed, a thousand in a commit`, 'MB', 1],
  ['start', 'start after a kill', 's', 2],
  ['deletion', `DELETE of ${leaves} leaves`, 'ms', 0],
];
console.log(`| | ${kinds.join(' | ')} |\n| ${'--- | '.repeat(kinds.length + 1)}`.trimEnd());
for (const [name, text, unit, digits] of rows) {
  const told = lowest.map((one, i) => {
    const ratio = i === 0 ? '' : `, ${(one[name] / lowest[0][name]).toFixed(2)} times`;
    return `${one[name].toFixed(digits)} ${unit}${ratio}`.replace(' ,', ',');
  });
  console.log(`| ${text} | ${told.join(' | ')} |`);
}
for (const [name, times] of Object.entries(promised)) {
  kinds.forEach((kind, i) => {
    const ratio = lowest[i][name] / lowest[0][name];
    if (ratio <= times[i]) return;
    console.error(`tests/bench/history.mjs: with ${kind} ${name} costs ${ratio.toFixed(2)} times, and not ${times[i]}`);
    process.exitCode = 1;
  });
}

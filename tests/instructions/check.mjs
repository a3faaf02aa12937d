// Counts the instructions of fixed operations, and holds them to tests/instructions/counts.txt.
//
//   node tests/instructions/check.mjs [PROGRAM]            exits with 1 when a count left its margin, either way
//   node tests/instructions/check.mjs --update [PROGRAM]   writes the file
//   node tests/instructions/check.mjs --repeat [PROGRAM]   counts everything twice: how much do the counts differ?
//
// Exits with 77 where the counts of the file mean nothing: no Valgrind, or another compiler or processor. README.md
// tells what they depend on.
//
//   counts.txt := "# " text newline  "built with " text newline  ( name blank* count newline )*
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const hasStore = (name) => /leaf|leaves|known|child|last/.test(name);
// RocksDB draws the heights of its skip list by a lot that another build of the same code may change: up to a quarter was seen.
const marginOf = (name) => (hasStore(name) ? 0.4 : 0.05);
// What may not cost much more than another, whatever the file says. A change is matched against those who listen there: of
// a thousand times as many who listen beside it, it sees that their parent's table of children takes ten more comparisons.
// And a write of a cluster's node is little more than any server's, as far as it is the node's to do.
const bounds = [
  { name: 'match_among_10000', atMost: 1.5, of: 'match_among_10' },
  { name: 'overwrite_known_logged', atMost: 1.2, of: 'overwrite_known_of_32' },
];
const skipped = 77; // CTest's SKIP_RETURN_CODE
const update = 'tools/test --update-instructions';
const file = new URL('counts.txt', import.meta.url);

const words = process.argv.slice(2);
const mode = words[0]?.startsWith('--') ? words.shift() : '--check';
const program = words[0] ?? fileURLToPath(new URL('../../build/release/bin/instructions', import.meta.url));

function leave(code, text) {
  console[code === 0 ? 'log' : 'error'](`tests/instructions: ${text}`);
  process.exit(code);
}

function run(command, args) {
  // Nothing of the caller's environment: where it lies decides where the stack begins.
  const env = { PATH: '/usr/bin:/bin', SIMDJSON_FORCE_IMPLEMENTATION: 'haswell' };
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', env, timeout: 120_000 });
  if (status !== 0) leave(1, `${command} ${args.join(' ')} failed: ${error ?? stderr}`);
  return { stdout, stderr };
}

// Those with a store more often, so that what the store does now and then has its share in each.
const times = (name) => (hasStore(name) && !/last|leaves/.test(name) ? 1_000 : 300);

function count(name) {
  const { stderr } = run('valgrind', [
    '--tool=callgrind', '--instr-atstart=no', '--collect-atstart=no', '--callgrind-out-file=/dev/null',
    program, name, `${times(name)}`,
  ]);
  const collected = Number(/Collected : (\d+)/.exec(stderr)?.[1]);
  if (!collected) leave(1, `nothing was counted: build ${program} again, now that valgrind has brought its header`);
  return Math.round(collected / times(name));
}

if (!existsSync(program)) leave(1, `there is no ${program}: build it`);
if (spawnSync('valgrind', ['--version']).error) leave(skipped, 'skipped: there is no valgrind; tools/setup tests installs it');
if (process.arch !== 'x64' || !/^flags.* avx2 /m.test(readFileSync('/proc/cpuinfo', 'utf8')))
  leave(skipped, 'skipped: the counts are those of x86-64 with AVX2');

const builtWith = `${run(program, ['--built-with']).stdout.trim()}, ${run('valgrind', ['--version']).stdout.trim()}`;
const kept = existsSync(file) ? readFileSync(file, 'utf8') : '';
const keptWith = /^built with (.*)$/m.exec(kept)?.[1];
if (mode === '--check' && keptWith !== builtWith)
  leave(skipped, `skipped: the counts are of ${keptWith}, and here is ${builtWith}; ${update} makes them anew`);

const old = new Map([...kept.matchAll(/^(\w+) +(\d+)$/gm)].map(([, name, number]) => [name, Number(number)]));
const names = run(program, []).stdout.trim().split('\n');
if (mode === '--repeat') for (const name of names) old.set(name, count(name));
const now = new Map();
const failures = [];
console.log(`${'operation'.padEnd(26)}${'was'.padStart(10)}${'is'.padStart(10)}${'change'.padStart(10)}   instructions each`);
for (const name of names) {
  now.set(name, count(name));
  const change = now.get(name) / old.get(name) - 1; // NaN: it is new
  const percent = old.has(name) ? `${change < 0 ? '' : '+'}${(change * 100).toFixed(1)} %` : 'new';
  const isOut = !(Math.abs(change) <= marginOf(name));
  const mark = isOut ? '   <--' : '';
  console.log(`${name.padEnd(26)}${`${old.get(name) ?? '-'}`.padStart(10)}${`${now.get(name)}`.padStart(10)}${percent.padStart(10)}${mark}`);
  if (isOut) failures.push(old.has(name) ? `${name} takes ${now.get(name)} instructions for ${old.get(name)} (${percent})` : `${name} is not in the file`);
}
for (const name of old.keys()) if (!now.has(name)) failures.push(`${name} is in the file and no operation any more`);

for (const { name, atMost, of } of bounds) {
  if (now.get(name) > atMost * now.get(of))
    leave(1, `${name} takes ${now.get(name)} instructions, more than ${atMost} times the ${now.get(of)} of ${of}; no update mends that`);
}
if (mode === '--update') {
  const lines = names.map((name) => `${name.padEnd(26)}${now.get(name)}`);
  writeFileSync(file, `# Instructions of each operation. Written by ${update}.\nbuilt with ${builtWith}\n${lines.join('\n')}\n`);
  leave(0, 'counts.txt is written');
}
if (failures.length > 0)
  leave(1, `${failures.join('; ')}; the margin is ${marginOf('') * 100} %, or ${marginOf('leaf') * 100} % with a store. If that is meant, ${update} writes counts.txt anew: commit it, and say why`);

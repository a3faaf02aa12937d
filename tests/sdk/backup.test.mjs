// Backups: any moment of a random history comes back from what they have, over kills of the server and of the backup; what
// is damaged or missing is refused by name; what no moment needs goes, and nothing else.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random, seedOfRun } from './support/random.mjs';
import { S3 } from './support/s3.mjs';
import { program, Server } from './support/server.mjs';

const isLong = Boolean(process.env.HEARTH_LONG);
const folder = mkdtempSync(join(tmpdir(), 'hearth-backup-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;
const newFolder = (name) => join(folder, `${name}${folders++}`);
const history = ['--dev', '--history', '24h,1GB'];

async function run(words, environment = {}) {
  const child = spawn(program, words, { env: { ...process.env, HEARTH_TOKEN: 'owner', ...environment } });
  let [out, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
  const [code, signal] = await once(child, 'close');
  return { code, signal, out, errors };
}
async function hearth(...words) {
  const environment = typeof words.at(-1) === 'object' ? words.pop() : {};
  const { code, out, errors } = await run(words, environment);
  assert.equal(code, 0, `hearth ${words.join(' ')}: ${errors}`);
  return out;
}
async function refusal(...words) {
  const environment = typeof words.at(-1) === 'object' ? words.pop() : {};
  const { code, errors } = await run(words, environment);
  assert.equal(code, 1, `hearth ${words.join(' ')} is refused`);
  return errors;
}

async function send(server, method, path, value, space = 'default') {
  const reply = await fetch(`${server.url}${path}.json?auth=owner&ns=${space}`, { method, body: JSON.stringify(value) });
  assert.equal(reply.status, 200, await reply.text());
}
const put = (server, path, value, space) => send(server, 'PUT', path, value, space);

async function read(server, space = 'default') {
  return (await fetch(`${server.url}/.json?auth=owner&ns=${space}`)).json();
}
async function ids(server, space = 'default') {
  const text = await (await fetch(`${server.url}/.changes?auth=owner&since=0&ns=${space}`)).text();
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter((one) => one.id);
}

// What a data folder has, as JSON.
async function tree(data, space = 'default') {
  return JSON.parse(await hearth('dump', '--data', data, '--ns', space, '--format', 'json', '--out', '-'));
}
async function restored(space, ...words) {
  const data = newFolder('restored');
  const environment = typeof words.at(-1) === 'object' ? words.pop() : {};
  await hearth('restore', ...words, '--data', data, environment);
  return tree(data, space);
}

// The reference: the tree after each commit.
class Model {
  root = {};
  set(path, value) {
    const keys = path.split('/').filter(Boolean);
    let at = this.root;
    if (value === null) {
      for (const key of keys.slice(0, -1)) at = typeof at?.[key] === 'object' ? at[key] : undefined;
      if (at) delete at[keys.at(-1)];
      return this.#prune(this.root);
    }
    for (const key of keys.slice(0, -1)) at = typeof at[key] === 'object' ? at[key] : (at[key] = {});
    at[keys.at(-1)] = structuredClone(value);
    this.#prune(this.root);
  }
  #prune(node) {
    for (const [key, child] of Object.entries(node)) {
      if (child === null || typeof child !== 'object') continue;
      this.#prune(child);
      if (Object.keys(child).length === 0) delete node[key];
    }
  }
  get text() {
    return JSON.stringify(sorted(this.root));
  }
}
function sorted(value) {
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}
const same = (a, b, what) => assert.deepEqual(sorted(a ?? {}), sorted(b ?? {}), what);

test('any commit of a random history comes back from its backups, over kills of the server and of the backup', async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`TEST_SEED=${seed}`);
  const random = new Random(seed);
  const server = await Server.start(after, history);
  const target = newFolder('target');
  const model = new Model();
  const states = []; // the tree after each commit, as text
  const rounds = isLong ? 20 : 6;
  const keys = ['a', 'b', 'c', 'd'];
  for (let round = 0; round < rounds; ++round) {
    for (let write = 0; write < 12; ++write) {
      const path = `/${random.pick(keys)}${random.below(3) ? `/${random.pick(keys)}` : ''}${random.below(2) ? `/${random.pick(keys)}` : ''}`;
      const before = model.text;
      const value = random.below(4) === 0 ? null : random.below(3) ? random.below(1000) : { x: random.below(9), y: { z: `${random.below(9)}` } };
      model.set(path, value);
      await put(server, path, value);
      if (model.text !== before) states.push(model.text);
    }
    if (random.below(3) === 0) {
      // A write that nobody was told of: it is there, or it is not.
      const before = model.text;
      const value = 5000 + round;
      const asked = fetch(`${server.url}/late.json?auth=owner`, { method: 'PUT', body: `${value}` }).catch(() => {});
      await sleep(random.below(4));
      await server.kill();
      await asked;
      await server.start();
      if ((await read(server)).late === value) {
        model.set('/late', value);
        if (model.text !== before) states.push(model.text);
      }
    }
    if (round > 0 && random.below(2) === 0) {
      // One that is killed has no part in what comes later.
      const child = spawn(program, ['backup', target, '--url', server.url], { env: { ...process.env, HEARTH_TOKEN: 'owner' }, stdio: 'ignore' });
      const closed = once(child, 'close'); // it may be done before
      await sleep(random.below(40));
      child.kill('SIGKILL');
      await closed;
    }
    await hearth('backup', target, '--url', server.url);
  }
  const known = await ids(server);
  assert.equal(known.length, states.length, 'each change is a commit');
  same(await restored('default', '--from', target), model.root, 'at its end');
  const listed = await hearth('backup', 'list', target);
  assert.match(listed, /^\S+Z +\d+ bytes {2}full\n/);
  const full = known.findIndex(({ time }) => time > Date.parse(/^\S+/.exec(listed)[0])) - 1;
  for (let i = 0; i < (isLong ? 60 : 8); ++i) {
    const at = Math.max(full, 0) + random.below(known.length - Math.max(full, 0));
    same(await restored('default', '--from', target, '--to', known[at].id), JSON.parse(states[at]), `at ${known[at].id}`);
  }
  // By time: the last commit up to then.
  const last = JSON.parse(readFileSync(join(target, 'hearth-backup.json'))).files.at(-1).made;
  const at = known[full + 5];
  if (at && at.time < last) {
    const index = known.findLastIndex(({ time }) => time <= at.time);
    same(await restored('default', '--from', target, '--to', `${at.time}`), JSON.parse(states[index]), `at ${at.time}`);
  }
  assert.match(await refusal('restore', '--from', target, '--to', '2020-01-01T00:00:00Z', '--data', newFolder('none')), /is before the oldest full dump/);
  assert.match(await refusal('restore', '--from', target, '--to', `${last + 1e9}`, '--data', newFolder('none')), /is not in the dumps, which end at/);
  // A moment behind the last backup is made with the server's log.
  await put(server, '/live', 1);
  const live = (await ids(server)).at(-1);
  await put(server, '/live', 2);
  await hearth('restore', '--from', target, '--to', live.id, '--url', server.url, '--replace');
  same(await read(server), { ...model.root, live: 1 });
});

test('files by hand: a link that is missing is told by name, and so is a byte that is another', async () => {
  const server = await Server.start(after, history);
  const files = ['full', 'one', 'two', 'three'].map((name) => newFolder(name));
  await put(server, '/a', 1);
  await put(server, '/b', 1, 'second');
  await hearth('dump', '--out', files[0], '--url', server.url);
  for (let i = 1; i < 4; ++i) {
    await put(server, '/a', i + 1);
    const told = await hearth('dump', '--incremental-since', files[i - 1], '--out', files[i], '--url', server.url);
    assert.match(told, /default: 1 commit\n[^]*second: as it was\n/);
  }
  same(await restored('default', ...files), { a: 4 });
  same(await restored('default', files[2], files[0], files[1]), { a: 3 }, 'in any order');
  assert.match(await hearth('dump', 'verify', ...files), /three\d+ is whole, and continues the dump/);
  const missing = new RegExp(`three\\d+ continues the dump \\w+, made \\S+; the files given end at \\S*one\\d+ \\(.*give the dump between`);
  assert.match(await refusal('restore', files[0], files[1], files[3], '--data', newFolder('none')), missing);
  assert.match(await refusal('dump', 'verify', files[0], files[1], files[3]), /three\d+/);
  assert.match(await refusal('restore', files[1], '--data', newFolder('none')), /is an incremental dump, which continues the dump/);
  const good = readFileSync(files[2]);
  const bad = Buffer.from(good);
  bad[bad.length >> 1] ^= 4;
  writeFileSync(files[2], bad);
  assert.match(await refusal('restore', ...files, '--data', newFolder('none')), /two\d+: the dump is damaged/);
  writeFileSync(files[2], good.subarray(0, good.length - 9));
  assert.match(await refusal('restore', ...files, '--data', newFolder('none')), /two\d+: the dump is damaged/);
  writeFileSync(files[2], good);
  // By an id: of one namespace.
  const [first] = await ids(server);
  const since = newFolder('since');
  assert.match(await refusal('dump', '--incremental-since', first.id, '--out', since, '--url', server.url), /--ns is required/);
  assert.match(await hearth('dump', '--ns', 'default', '--incremental-since', first.id, '--out', since, '--url', server.url), /default: 3 commits/);
  // Without history there is nothing to continue by: the namespace comes as a whole, which is said.
  const plain = await Server.start(after, ['--dev']);
  await put(plain, '/a', 1);
  const [whole, then] = [newFolder('whole'), newFolder('then')];
  await hearth('dump', '--out', whole, '--url', plain.url);
  await put(plain, '/a', 2);
  assert.match(await hearth('dump', '--incremental-since', whole, '--out', then, '--url', plain.url), /it is there as a whole/);
  same(await restored('default', whole, then), { a: 2 });
});

test('what no kept moment needs is removed, and what one needs never; a damaged file of a target is refused', async () => {
  const server = await Server.start(after, history);
  const target = newFolder('pruned');
  for (let i = 0; i < 6; ++i) {
    await put(server, '/a', i);
    await hearth('backup', target, '--url', server.url, '--keep', '1ms', '--full-every', i % 3 === 0 ? '1ms' : '1h');
    same(await restored('default', '--from', target), { a: i });
  }
  const { files, trash } = JSON.parse(readFileSync(join(target, 'hearth-backup.json')));
  assert.deepEqual(trash, []);
  assert.ok(files.length < 7, 'older chains are gone');
  assert.deepEqual(readdirSync(target).sort(), ['hearth-backup.json', 'hearth-backup.lock', ...files.map(({ name }) => name)].sort());
  const victim = join(target, files.at(-1).name);
  const bytes = readFileSync(victim);
  bytes[bytes.length - 20] ^= 1;
  writeFileSync(victim, bytes);
  assert.match(await refusal('restore', '--from', target, '--data', newFolder('none')), /is damaged: it is not what was written there/);
});

test('a server backs itself up on its schedule, goes on after a restart, and says what fails', async () => {
  const target = newFolder('schedule');
  const flags = [...history, '--backup', target, '--backup-every', '300ms', '--backup-keep', '1h', '--metrics-port', '0'];
  const server = await Server.start(after, flags);
  const files = () => {
    try {
      return JSON.parse(readFileSync(join(target, 'hearth-backup.json'))).files;
    } catch {
      return [];
    }
  };
  const until = async (what, fine) => {
    for (const end = Date.now() + 30_000; !(await fine()); await sleep(20)) assert.ok(Date.now() < end, what);
  };
  const metric = async (name) => {
    const page = await (await fetch(`${server.url}/.metrics`, { headers: { authorization: 'Bearer owner' } })).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)[1]);
  };
  await put(server, '/a', 1);
  await until('three backups', () => files().length >= 3);
  await until('the metric', async () => (await metric('hearth_backups_total')) >= 2);
  assert.ok((await metric('hearth_backup_last_success_seconds')) > Date.now() / 1000 - 60);
  assert.ok((await metric('hearth_backup_bytes_total')) > 0);
  await server.kill();
  const before = files().length;
  await server.start();
  await put(server, '/a', 2);
  await until('backups after the restart', () => files().length >= before + 2);
  assert.equal(files().filter(({ incremental }) => !incremental).length, 1, 'the chain goes on');
  await server.stop();
  same(await restored('default', '--from', target), { a: 2 });
  for (const name of readdirSync(target)) assert.doesNotMatch(name, /\.part$/, 'a server that was stopped leaves no half file');
  // Somebody else's file in its place.
  const index = readFileSync(join(target, 'hearth-backup.json'));
  writeFileSync(join(target, 'hearth-backup.json'), '{"format":9}');
  await server.start();
  await until('a failure', async () => (await metric('hearth_backup_failures_total')) >= 2);
  assert.equal(await metric('hearth_backup_failing'), 1);
  assert.match(server.errors, /backup failed; it is tried again.*newer Hearth/);
  writeFileSync(join(target, 'hearth-backup.json'), index);
  await until('the next one', async () => (await metric('hearth_backup_failing')) === 0);
});

test('two servers on one target: the second is refused by name, unless it takes over', async () => {
  const s3 = await S3.start(after, 'backups');
  for (const [target, environment] of [[newFolder('shared'), {}], ['s3://backups/shared', s3.environment]]) {
    const [one, two] = [await Server.start(after, history), await Server.start(after, history)];
    await put(one, '/a', 1);
    await put(two, '/b', 2);
    await hearth('backup', target, '--url', one.url, '--keep', '7d', environment);
    const listed = await hearth('backup', 'list', target, '--json', environment);
    const refused = await refusal('backup', target, '--url', two.url, '--keep', '7d', environment);
    assert.match(refused, /has backups of another store \(\w+, this is \w+\)/);
    assert.match(refused, /--take-over/);
    assert.equal(await hearth('backup', 'list', target, '--json', environment), listed, 'nothing is another');
    await put(one, '/a', 2);
    await hearth('backup', target, '--url', one.url, environment);
    same(await restored('default', '--from', target, environment), { a: 2 });
    // The first server is gone, and its data was put into another folder.
    assert.match(await hearth('backup', target, '--url', two.url, '--take-over', environment), /full/);
    await put(two, '/b', 3);
    assert.match(await hearth('backup', target, '--url', two.url, environment), /since/);
    same(await restored('default', '--from', target, environment), { b: 3 });
    assert.match(await refusal('backup', target, '--url', one.url, environment), /has backups of another store/);
  }
});

test('two backups at once into a bucket: one is given up, and what is there is whole', async () => {
  const s3 = await S3.start(after, 'backups');
  const server = await Server.start(after, history);
  const target = 's3://backups/at once';
  await put(server, '/a', randomBytes(200_000).toString('base64url'));
  for (let round = 0; round < 3; ++round) {
    const both = await Promise.all([1, 2].map(() => run(['backup', target, '--url', server.url], s3.environment)));
    assert.ok(both.some(({ code }) => code === 0), JSON.stringify(both));
    for (const { code, errors } of both) if (code !== 0) assert.match(errors, /another backup has been made there meanwhile/);
    await put(server, '/b', round);
  }
  await hearth('backup', target, '--url', server.url, s3.environment);
  same((await restored('default', '--from', target, s3.environment)).b, 2);
});

test('backups in an S3 store: signed, in parts where they are large, and nothing of a secret is told', async () => {
  const s3 = await S3.start(after, 'backups');
  const server = await Server.start(after, history);
  const target = 's3://backups/of/this server';
  // Text that does not compress, of more than one part.
  for (let i = 0; i < 3; ++i) await put(server, `/${i}`, randomBytes(6_750_000).toString('base64url'), 'big');
  await hearth('backup', target, '--url', server.url, s3.environment);
  assert.ok(s3.requests.some((one) => /^PUT .*partNumber=2&uploadId=/.test(one)), 'the full dump went in parts');
  assert.match(s3.requests.at(-1), /^PUT \/backups\/of\/this%20server\/hearth-backup\.json$/, 'the index is last');
  await put(server, '/a', 1);
  const digest = /^big: 3 leaves, sha256 \w+$/m.exec(await hearth('dump', '--ns', 'big', '--out', newFolder('big'), '--url', server.url))[0];
  // A store that has a bad moment is asked again.
  let bad = 1;
  s3.fail = (asked) => asked.startsWith('PUT') && bad-- > 0;
  await hearth('backup', target, '--url', server.url, '--keep', '7d', s3.environment);
  const all = newFolder('all');
  assert.ok((await hearth('restore', '--from', target, '--data', all, s3.environment)).includes(digest));
  same(await tree(all), { a: 1 });
  assert.match(await hearth('backup', 'list', target, s3.environment), /2 files/);
  // One that does not answer leaves the index as it was.
  s3.fail = (asked) => asked.startsWith('PUT') && asked.includes('.hdump');
  await put(server, '/a', 2);
  const failed = await refusal('backup', target, '--url', server.url, s3.environment);
  assert.match(failed, /the store answers 503, SlowDown/);
  s3.fail = () => false;
  assert.match(await hearth('backup', 'list', target, s3.environment), /2 files/);
  await hearth('backup', target, '--url', server.url, s3.environment);
  same(await restored('default', '--from', target, s3.environment), { a: 2 });
  const refused = await refusal('backup', 'list', target, { ...s3.environment, AWS_SECRET_ACCESS_KEY: 'another' });
  assert.match(refused, /the store answers 403, SignatureDoesNotMatch: another signature/);
  for (const text of [failed, refused]) {
    for (const secret of [s3.secret, s3.token, s3.key]) assert.ok(!text.includes(secret));
  }
  assert.match(await refusal('backup', target, { AWS_ACCESS_KEY_ID: '' }), /set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/);
});

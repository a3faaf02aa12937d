// Two namespaces of one shard: one does the worst it may, as nobody, as a user and as an admin; in the other a client of the
// SDK writes, reads and listens. Nothing is timed: the server counts how long a namespace has waited for another one, in
// groups of the shard and in slices of reads, and how much one request took of a thread that both share.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { endBefore, get, limitToLast, onValue, orderByChild, query, ref, remove, set, update } from '@firebase/database';
import { closeApps, open, values } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

const CHILDREN = process.env.HEARTH_LONG ? 200_000 : 8_000; // above STEP_ROWS, so that what reads them all is too long for a shared thread
const ROUNDS = 15; // of the calm one, during each attack
const STEP_ROWS = 4_000; // --max-step-rows, and what one look may do before the next finds the step over
const LOOK_ROWS = 8;
const IO_STEP = { rows: 2_500, bytes: 4 * 1024 * 1024, evaluations: 50_000 }; // kIoStepMax

const server = await Server.start(after, ['--dev', '--max-request-rate', '0']);
after(closeApps);

const owner = { Authorization: 'Bearer owner' };
const rules = (indexes) =>
  JSON.stringify({
    rules: {
      items: { '.read': true, '.write': true, '.indexOn': indexes },
      import: { '.read': true, '.write': true },
      secret: { '.read': false, '.write': false, '.indexOn': 'n' },
      one: { '.read': true, '.write': true },
    },
  });
const child = (i) => [`k${10_000_000 + i}`, { n: (i * 7919) % 1_000_003, m: `value ${i}` }];
const items = JSON.stringify(Object.fromEntries(Array.from({ length: CHILDREN }, (_, i) => child(i))));

// Numbers go round the four shards in the order in which namespaces are made: the first and the fifth share one.
const [calm, , , , wild] = ['calm', 'a', 'b', 'c', 'wild'];
for (const name of ['calm', 'a', 'b', 'c', 'wild']) await rest(server, name, 'PUT', '/v.json', { body: '0' });
// Who asks for much may wait long.
const asWild = (method, path, options) => rest(server, wild, method, path, { patience: 120_000, ...options });
await asWild('PUT', '/.settings/rules.json', { body: rules(['n']), headers: owner });
for (const path of ['items', 'secret']) await asWild('PUT', `/${path}.json`, { query: 'print=silent', body: items, headers: owner });

async function figures() {
  const { text } = await rest(server, calm, 'GET', '/.metrics', { headers: owner });
  const of = (name) => Number(text.split('\n').find((line) => line.startsWith(`${name} `)).split(' ')[1]);
  return {
    groups: of('hearth_longest_wait{of="groups"}'),
    reads: of('hearth_longest_wait{of="reads"}'),
    scans: of('hearth_longest_wait{of="scans"}'),
    rows: of('hearth_longest_step{of="rows"}'),
    moved: of('hearth_namespaces_moved_total'),
    // The longest step of any io thread: {rows, bytes, evaluations}.
    io: Object.fromEntries(Object.keys(IO_STEP).map((what) => [
      what, Math.max(...text.split('\n').filter((line) => line.startsWith('hearth_longest_io_step{') && line.includes(`of="${what}"`))
        .map((line) => Number(line.split(' ')[1])))])),
  };
}

// What the calm one does; its listener hears each write, and it reads what it wrote.
async function live(attack) {
  const writer = open(server.port, calm);
  const heard = values(ref(open(server.port, calm), 'v'));
  await heard.until((all) => all.length > 0, 'the first value');
  for (let i = 0; i < ROUNDS; ++i) {
    const mark = `${attack} ${i}`;
    await set(ref(writer, 'v'), mark);
    assert.equal((await get(ref(writer, 'v'))).val(), mark);
    assert.equal(JSON.parse((await rest(server, calm, 'GET', '/v.json')).text), mark);
    await heard.until((all) => all.at(-1) === mark, `the event of ${mark}`);
  }
}

const user = open(server.port, wild);
const raw = await Socket.open(server.port, wild);
const keepAlives = Array.from({ length: 10_000 }, () => '0');
const all = (count) => `orderBy="$key"&limitToFirst=${count}`;
let turn = 0;

// Each is done again and again, by so many at once.
const attacks = {
  'a removal by query that is denied': [8, () => asWild('DELETE', '/secret.json', { query: 'orderBy="n"&endAt=500000' }), 401],
  'a conditional write that is denied': [8, () => asWild('PUT', '/secret.json', { body: '1', headers: { 'If-Match': 'x' } }), 401],
  'an update of many places that is denied': [2, () => asWild('PATCH', '/secret.json', { body: items }), 401],
  'counts': [8, () => asWild('GET', '/items.json', { query: `${all(CHILDREN)}&count=true` }), 200],
  'large reads': [3, () => asWild('GET', '/items.json'), 200],
  'queries that an index serves': [3, () => asWild('GET', '/items.json', { query: `orderBy="n"&limitToFirst=${CHILDREN}` }), 200],
  'small writes': [40, () => set(ref(user, 'one'), ++turn)],
  'updates of many places': [2, () => update(ref(user, 'items'), Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => child(i + 2_000 * (++turn % 5)))))],
  'windows that are large': [2, async () => {
    const end = onValue(query(ref(user, 'items'), orderByChild('n'), endBefore(1e6 + ++turn), limitToLast(CHILDREN / 2)), () => {});
    await set(ref(user, 'items/k10000001/n'), turn);
    end();
  }],
  'conditional writes to much': [4, () => asWild('PUT', '/items.json', { body: '1', headers: { 'If-Match': 'x' } }), 412],
  'imports': [2, () => asWild('PUT', '/import.json', { query: 'print=silent', body: items, headers: owner }), 204],
  'removals': [1, async () => {
    await set(ref(user, 'import/more'), JSON.parse(items));
    await remove(ref(user, 'import'));
  }],
  'keep-alives, many in a read': [2, async () => {
    raw.sendFrames(keepAlives);
    assert.ok(await raw.isAlive());
    await set(ref(user, 'one'), ++turn);
  }],
  'first values of many listeners': [2, async () => {
    const client = await Socket.open(server.port, wild);
    for (let i = 0; i < 1_000; ++i) client.sendText(client.requestText('q', `{"p":"/items/k${10_000_000 + i}","h":""}`));
    await client.answer();
    await client.close();
  }],
  'index builds': [1, () => asWild('PUT', '/.settings/rules.json', { body: rules(++turn % 2 ? ['n', 'm'] : ['n']), headers: owner }), 200],
};

for (const [name, [many, attack, status]] of Object.entries(attacks)) {
  test(`nobody waits for a neighbour's ${name}`, async () => {
    const before = await figures();
    let isOver = false;
    let done = 0;
    const attackers = Array.from({ length: many }, async () => {
      while (!isOver) {
        const answer = await attack();
        if (status !== undefined) assert.equal(answer.status, status);
        ++done;
      }
    });
    await live(name);
    isOver = true;
    await Promise.all(attackers);
    assert.ok(done >= many);
    const now = await figures();
    // Beyond the group that was being written when it came, one turn of the other; of reads, no slice that was not begun.
    assert.ok(now.groups <= 1, `a namespace waited for ${now.groups} groups`);
    assert.ok(now.reads <= 1 && now.scans <= 1, `a namespace waited for ${now.reads} and ${now.scans} slices`);
    assert.ok(now.rows <= STEP_ROWS + LOOK_ROWS, `a step of ${now.rows} rows`);
    for (const [what, bound] of Object.entries(IO_STEP)) assert.ok(now.io[what] <= bound, `an io thread's step of ${now.io[what]} ${what}`);
    if (status === 401) assert.equal(now.moved, before.moved); // who has no right does not even move it
  });
}

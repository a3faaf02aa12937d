// Rows of tables with the published Supabase client: what it sends, what it makes of the answers, and whose rows are
// whose.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createClient } from '@supabase/supabase-js';
import ws from 'ws';
import { newNamespace } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { signedBy } from './support/tokens.mjs';

const server = await Server.start(after);
const owner = { Authorization: 'Bearer owner' };

// A project of its own, as `user` ("": nobody).
function client(namespace, user = '') {
  const token = user && signedBy('anything', { sub: user, role: 'authenticated', aud: 'authenticated' });
  return createClient(`${server.url}/ns/${namespace}`, 'sb_publishable_any', {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    realtime: { transport: ws },
    ...(token ? { accessToken: async () => token } : {}),
  });
}

async function put(namespace, path, value) {
  const answer = await rest(server, namespace, 'PUT', path, { body: JSON.stringify(value), headers: owner });
  assert.equal(answer.status, 200, answer.text);
}
async function tree(namespace, path) {
  return JSON.parse((await rest(server, namespace, 'GET', path, { headers: owner })).text);
}

const todos = {
  a: { n: 3, title: 'wash', done: true, tags: ['x', 'y'], by: { name: 'ann', age: 30 } },
  b: { n: 1, title: 'Walk', done: false },
  c: { n: 2, title: '5' },
  'c,d': { n: 9, title: 'odd "key"' },
};
async function project(rules, data = { todos }) {
  const namespace = newNamespace();
  for (const [name, table] of Object.entries(data)) await put(namespace, `/${name}.json`, table);
  if (rules) await put(namespace, '/.settings/rules.json', { rules });
  return namespace;
}
const ids = ({ data, error }) => (error ? `${error.code}: ${error.message}` : data.map((row) => row.id).join(' '));

test('rows are the children of a child of the root, their id is the key, and null is absent', async () => {
  const db = client(await project());
  const { data, error, status, count } = await db.from('todos').select();
  assert.equal(error, null);
  assert.deepEqual([status, count], [200, null]);
  assert.deepEqual(data, Object.entries(todos).map(([id, row]) => ({ id, ...row })));
  const none = await db.from('nothing').select();
  assert.deepEqual([none.error, none.data], [null, []]);
});

test('columns are chosen, renamed, cast and reached into', async () => {
  const db = client(await project());
  const one = async (columns) => (await db.from('todos').select(columns).eq('id', 'a').single()).data;
  assert.deepEqual(await one('id,n'), { id: 'a', n: 3 });
  assert.deepEqual(await one('num:n,key:id'), { num: 3, key: 'a' });
  assert.deepEqual(await one('n::text'), { n: '3' });
  assert.deepEqual(await one('by->age, by->>age, who:by->>name, tags->1'), { age: '30', who: 'ann', 1: 'y' });
  assert.deepEqual(await one('id,gone'), { id: 'a', gone: null });
  assert.deepEqual((await db.from('todos').select('id,gone').eq('id', 'a').stripNulls()).data, [{ id: 'a' }]);
  assert.deepEqual(await one('*,again:n'), { id: 'a', ...todos.a, again: 3 });
  const embedded = await db.from('todos').select('id,users(*)');
  assert.deepEqual([embedded.status, embedded.error.code], [400, 'PGRST200']);
  const summed = await db.from('todos').select('n.sum()');
  assert.deepEqual([summed.status, summed.error.code], [400, 'PGRST123']);
});

test('filters', async () => {
  const db = client(await project());
  const from = () => db.from('todos').select();
  const cases = [
    [from().eq('n', 3), 'a'],
    [from().neq('n', 3), 'b c c,d'],
    [from().gt('n', 1).lte('n', 3), 'a c'],
    [from().gte('n', 3), 'a c,d'],
    [from().lt('n', 2), 'b'],
    [from().in('id', ['a', 'c,d', 'none']), 'a c,d'],
    [from().in('title', ['5', 'odd "key"']), 'c c,d'],
    [from().is('done', null), 'c c,d'],
    [from().is('done', true), 'a'],
    [from().not('id', 'eq', 'a'), 'b c c,d'],
    [from().not('done', 'is', null), 'a b'],
    [from().like('title', 'wa%'), 'a'],
    [from().ilike('title', 'wa%'), 'a b'],
    [from().likeAllOf('title', ['w%', '%h']), 'a'],
    [from().ilikeAnyOf('title', ['WASH', 'walk']), 'a b'],
    [from().or('n.eq.9,title.eq.5'), 'c c,d'],
    [from().or('n.eq.9,and(n.gt.1,done.is.true)'), 'a c,d'],
    [from().match({ n: 1, title: 'Walk' }), 'b'],
    [from().eq('by->>name', 'ann'), 'a'],
    [from().eq('by->age', 30), 'a'],
    [from().filter('n', 'in', '(1,2)'), 'b c'],
    [from().isDistinct('done', true), 'b c c,d'],
    [from().eq('gone', 1), ''],
    [from().neq('gone', 1), ''],
    [from().eq('id', 'a').or('n.eq.3,n.eq.1').or('done.is.true,done.is.false'), 'a'],
  ];
  for (const [query, found] of cases) assert.equal(ids(await query), found, query.url.search);
  for (const query of [from().contains('tags', ['x']), from().textSearch('title', 'x'), from().filter('n', 'gtt', 1), from().is('n', 'maybe')]) {
    const { status, error } = await query;
    assert.deepEqual([status, error.code], [400, 'PGRST100'], query.url.search);
    assert.match(error.details, /at character/);
  }
});

test('order, limit, range and count', async () => {
  const db = client(await project());
  const from = (options) => db.from('todos').select('id', options);
  assert.equal(ids(await from().order('n')), 'b c a c,d');
  assert.equal(ids(await from().order('n', { ascending: false })), 'c,d a c b');
  assert.equal(ids(await from().order('done')), 'b a c c,d');
  assert.equal(ids(await from().order('done', { ascending: false })), 'c,d c a b');
  assert.equal(ids(await from().order('done', { nullsFirst: true }).order('n', { ascending: false })), 'c,d c b a');
  assert.equal(ids(await from().order('id', { ascending: false }).limit(2)), 'c,d c');
  assert.equal(ids(await from().order('n').range(1, 2)), 'c a');

  const counted = await from({ count: 'exact' }).order('n').range(1, 2);
  assert.deepEqual([counted.count, counted.status, ids(counted)], [4, 206, 'c a']);
  assert.deepEqual([(await from({ count: 'exact' })).status, (await from({ count: 'planned' })).count], [200, 4]);
  const head = await from({ count: 'exact', head: true }).gt('n', 1);
  assert.deepEqual([head.count, head.data, head.error, head.status], [3, null, null, 200]);
  const beyond = await from({ count: 'exact' }).range(7, 9);
  assert.deepEqual([beyond.status, beyond.error.code], [416, 'PGRST103']);
});

test('single and maybeSingle', async () => {
  const db = client(await project());
  const from = () => db.from('todos').select('id');
  assert.deepEqual((await from().eq('id', 'a').single()).data, { id: 'a' });
  const none = await from().eq('id', 'none').single();
  assert.deepEqual([none.status, none.error.code, none.error.details], [406, 'PGRST116', 'The result contains 0 rows']);
  const several = await from().single();
  assert.deepEqual([several.status, several.error.details], [406, 'The result contains 4 rows']);
  assert.deepEqual((await from().eq('id', 'a').maybeSingle()).data, { id: 'a' });
  const maybe = await from().eq('id', 'none').maybeSingle();
  assert.deepEqual([maybe.data, maybe.error], [null, null]);
  assert.notEqual((await from().maybeSingle()).error, null);
});

test('insert: one, several, with and without ids, and what stands there already', async () => {
  const namespace = await project();
  const db = client(namespace);
  const plain = await db.from('todos').insert({ id: 'x', n: 1, none: null });
  assert.deepEqual([plain.status, plain.data, plain.error], [201, null, null]);
  assert.deepEqual(await tree(namespace, '/todos/x.json'), { n: 1 });

  const made = await db.from('todos').insert({ n: 2 }).select().single();
  assert.equal(made.status, 201);
  assert.match(made.data.id, /^-[\w-]{19}$/);
  assert.deepEqual(await tree(namespace, `/todos/${made.data.id}.json`), { n: 2 });

  const bulk = await db.from('todos').insert([{ id: 7, n: 3 }, { id: 'z', m: { deep: [1] } }], { count: 'exact' }).select('id,n');
  assert.deepEqual([bulk.status, bulk.count, bulk.data], [201, 2, [{ id: '7', n: 3 }, { id: 'z', n: null }]]);
  const none = await db.from('todos').insert([]).select();
  assert.deepEqual([none.status, none.data], [201, []]);

  const again = await db.from('todos').insert([{ id: 'new', n: 1 }, { id: 'x', n: 9 }]);
  assert.deepEqual([again.status, again.error.code, again.error.details], [409, '23505', 'Key (id)=(x) already exists.']);
  assert.equal(await tree(namespace, '/todos/new.json'), null);
  const twice = await db.from('todos').insert([{ id: 'new', n: 1 }, { id: 'new', n: 2 }]);
  assert.equal(twice.error.code, '23505');

  const cases = [
    [{ id: 'only' }, 400, '23502'],
    [{ id: 'a/b', n: 1 }, 400, '22P02'],
    [{ id: true, n: 1 }, 400, '22P02'],
    [{ 'a.b': 1 }, 400, 'PGRST204'],
    [[1], 400, 'PGRST102'],
  ];
  for (const [row, status, code] of cases) {
    const refused = await db.from('todos').insert(row);
    assert.deepEqual([refused.status, refused.error.code], [status, code], JSON.stringify(row));
  }
});

test('upsert: merges, ignores, and counts as made only what is new', async () => {
  const namespace = await project();
  const db = client(namespace);
  const mixed = await db.from('todos').upsert([{ id: 'b', n: 10, done: true }, { id: 'new', n: 11, done: false }], { onConflict: 'id' }).select();
  assert.deepEqual([mixed.status, mixed.data], [201, [{ id: 'b', done: true, n: 10, title: 'Walk' }, { id: 'new', done: false, n: 11 }]]);
  const there = await db.from('todos').upsert({ id: 'b', n: 12 });
  assert.deepEqual([there.status, there.error], [200, null]);
  assert.deepEqual(await tree(namespace, '/todos/b.json'), { done: true, n: 12, title: 'Walk' });

  // Columns that only other rows have become null, unless the client says that they stay.
  await db.from('todos').upsert([{ id: 'b', n: 13 }, { id: 'c', title: 'six' }]);
  assert.deepEqual(await tree(namespace, '/todos/b.json'), { done: true, n: 13 });
  await db.from('todos').upsert([{ id: 'b', n: 14 }, { id: 'c', title: 'seven' }], { defaultToNull: false });
  assert.deepEqual([await tree(namespace, '/todos/b.json'), await tree(namespace, '/todos/c.json')], [{ done: true, n: 14 }, { title: 'seven' }]);

  const ignored = await db.from('todos').upsert([{ id: 'b', n: 0 }, { id: 'newer', n: 1 }], { ignoreDuplicates: true }).select();
  assert.deepEqual([ignored.status, ignored.data], [201, [{ id: 'newer', n: 1 }]]);
  assert.equal(await tree(namespace, '/todos/b/n.json'), 14);
  const all = await db.from('todos').upsert([{ id: 'b', n: 0 }], { ignoreDuplicates: true }).select();
  assert.deepEqual([all.status, all.data], [200, []]);

  const other = await db.from('todos').upsert({ id: 'b', n: 1 }, { onConflict: 'title' });
  assert.deepEqual([other.status, other.error.code], [400, '42P10']);
  const twice = await db.from('todos').upsert([{ id: 'b', n: 1 }, { id: 'b', n: 2 }]);
  assert.equal(twice.error.code, '21000');
});

test('update and delete: what matches, all or nothing, and what they tell', async () => {
  const namespace = await project();
  const db = client(namespace);
  const plain = await db.from('todos').update({ done: true, title: null }).lte('n', 2);
  assert.deepEqual([plain.status, plain.data, plain.error], [204, null, null]);
  assert.deepEqual(await tree(namespace, '/todos/b.json'), { done: true, n: 1 });

  const shown = await db.from('todos').update({ n: 5 }, { count: 'exact' }).eq('id', 'a').select('id,n');
  assert.deepEqual([shown.status, shown.count, shown.data], [200, 1, [{ id: 'a', n: 5 }]]);
  const none = await db.from('todos').update({ n: 5 }).eq('id', 'none').select();
  assert.deepEqual([none.status, none.data], [200, []]);
  const single = await db.from('todos').update({ n: 6 }).gt('n', 0).select().single();
  assert.deepEqual([single.status, single.error.details], [406, 'The result contains 4 rows']);
  assert.equal(await tree(namespace, '/todos/a/n.json'), 5);
  const maybe = await db.from('todos').update({ n: 6 }).eq('id', 'none').select().maybeSingle();
  assert.deepEqual([maybe.data, maybe.error], [null, null]);

  const many = await db.from('todos').delete().gt('n', 0).maxAffected(2);
  assert.deepEqual([many.status, many.error.code, many.error.details], [400, 'PGRST124', 'The query affects 4 rows']);
  const emptied = await db.from('todos').update({ n: null, done: null }).eq('id', 'b');
  assert.deepEqual([emptied.status, emptied.error.code], [400, '23502']);
  const renamed = await db.from('todos').update({ id: 'other' }).eq('id', 'b');
  assert.equal(renamed.error.code, '0A000');

  const gone = await db.from('todos').delete({ count: 'exact' }).eq('id', 'a').select('id');
  assert.deepEqual([gone.status, gone.count, gone.data], [200, 1, [{ id: 'a' }]]);
  const rest = await db.from('todos').delete().in('id', ['b', 'c', 'none']);
  assert.deepEqual([rest.status, rest.data, rest.error], [204, null, null]);
  assert.deepEqual(Object.keys(await tree(namespace, '/todos.json')), ['c,d']);
});

test('server values are told as they became', async () => {
  const db = client(await project());
  const { data } = await db.from('todos').update({ n: { '.sv': { increment: 4 } }, at: { '.sv': 'timestamp' } }).in('id', ['a', 'c']).select('id,n,at');
  assert.deepEqual(data.map(({ id, n }) => [id, n]), [['a', 7], ['c', 6]]);
  assert.ok(data.every(({ at }) => Math.abs(at - Date.now()) < 60_000));
  const made = await db.from('todos').insert({ at: { '.sv': 'timestamp' }, n: 1 }).select().single();
  assert.ok(Math.abs(made.data.at - Date.now()) < 60_000 && made.data.n === 1);
});

test('what is not offered says so', async () => {
  const db = client(await project());
  const called = await db.rpc('fn', { a: 1 });
  assert.deepEqual([called.status, called.error.code], [404, 'PGRST202']);
  const other = await db.schema('private').from('todos').select();
  assert.deepEqual([other.status, other.error.code, other.error.message], [406, 'PGRST106', 'Invalid schema: private']);
  const written = await db.schema('private').from('todos').insert({ n: 1 });
  assert.equal(written.error.code, 'PGRST106');
  const csv = await db.from('todos').select().csv();
  assert.deepEqual([csv.status, csv.error.code], [406, 'PGRST107']);
  const bad = await db.from('a.b').select();
  assert.deepEqual([bad.status, bad.error.code], [404, 'PGRST205']);
});

const rights = {
  todos: {
    $id: {
      '.read': "data.child('owner').val() === auth.uid",
      '.write': "auth != null && (!data.exists() || data.child('owner').val() === auth.uid)",
      '.validate': "newData.child('owner').isString()",
    },
  },
  board: { '.read': true, $id: { '.write': "auth != null && !data.exists()" } },
};
const owned = {
  todos: { a1: { owner: 'ann', n: 1 }, a2: { owner: 'ann', n: 2 }, b1: { owner: 'bob', n: 1 }, b2: { owner: 'bob', n: 5 } },
  board: { x: { n: 1 } },
};

test('each sees the rows that the rules let them read, and no trace of others', async () => {
  const namespace = await project(rights, owned);
  const [ann, bob, nobody] = ['ann', 'bob', ''].map((user) => client(namespace, user));
  const all = (db) => db.from('todos').select('id', { count: 'exact' }).order('n');
  assert.deepEqual([ids(await all(ann)), (await all(ann)).count], ['a1 a2', 2]);
  assert.deepEqual([ids(await all(bob)), (await all(bob)).count], ['b1 b2', 2]);
  assert.deepEqual([ids(await all(nobody)), (await all(nobody)).count], ['', 0]);
  assert.equal(ids(await ann.from('todos').select().eq('id', 'b1')), '');
  assert.equal(ids(await ann.from('todos').select('id').order('n').range(1, 1)), 'a2');
  assert.equal((await ann.from('todos').select('*', { count: 'exact', head: true }).gt('n', 1)).count, 1);
  assert.equal(ids(await nobody.from('board').select()), 'x');
});

test('each writes what the rules let them write: in one step, and without hearing of what they cannot see', async () => {
  const namespace = await project(rights, owned);
  const [ann, nobody] = ['ann', ''].map((user) => client(namespace, user));
  const codes = async (query) => {
    const { status, error } = await query;
    return error ? `${status} ${error.code}` : `${status}`;
  };
  const before = await tree(namespace, '/todos.json');
  // Of others.
  assert.equal(await codes(ann.from('todos').insert({ id: 'b1', owner: 'ann', n: 1 })), '403 42501');
  assert.equal(await codes(ann.from('todos').upsert({ id: 'b1', owner: 'ann', n: 1 })), '403 42501');
  assert.equal(await codes(ann.from('todos').upsert({ id: 'b1', owner: 'ann', n: 1 }, { ignoreDuplicates: true })), '403 42501');
  assert.equal(await codes(ann.from('todos').update({ n: 9 }).eq('id', 'b1')), '204');
  assert.deepEqual((await ann.from('todos').update({ n: 9 }).eq('id', 'b1').select()).data, []);
  assert.equal(await codes(ann.from('todos').delete().eq('id', 'b1')), '204');
  assert.equal(await codes(nobody.from('todos').insert({ id: 'new', owner: 'x', n: 1 })), '401 42501');
  assert.equal(await codes(nobody.from('todos').delete().neq('id', '')), '204');
  // Not valid; and one of two.
  assert.equal(await codes(ann.from('todos').insert({ id: 'new', n: 1 })), '403 42501');
  assert.equal(await codes(ann.from('todos').insert([{ id: 'new', owner: 'ann', n: 1 }, { id: 'newer', n: 1 }])), '403 42501');
  assert.equal(await codes(ann.from('todos').update({ owner: null }).eq('n', 1)), '403 42501');
  assert.deepEqual(await tree(namespace, '/todos.json'), before);
  // Who wants to see what they wrote has to be able to.
  assert.equal(await codes(ann.from('todos').insert({ id: 'gift', owner: 'bob', n: 1 }).select()), '403 42501');
  assert.equal(await codes(ann.from('todos').insert({ id: 'gift', owner: 'bob', n: 1 })), '201');
  // Their own.
  assert.equal(await codes(ann.from('todos').insert({ id: 'a1', owner: 'ann', n: 1 })), '409 23505');
  assert.equal(await codes(ann.from('board').insert({ id: 'x', n: 2 })), '409 23505');
  assert.deepEqual((await ann.from('todos').update({ n: 9 }).gt('n', 0).select('id,n')).data, [{ id: 'a1', n: 9 }, { id: 'a2', n: 9 }]);
  assert.equal(await codes(ann.from('todos').delete().neq('id', '')), '204');
  assert.deepEqual(Object.keys(await tree(namespace, '/todos.json')), ['b1', 'b2', 'gift']);
});

test('an alias names a table that lies deeper', async () => {
  const namespace = await project(null, { shop: { orders: { o1: { n: 1 } } } });
  await put(namespace, '/.settings/tables.json', { orders: '/shop/orders' });
  const db = client(namespace);
  assert.equal(ids(await db.from('orders').select()), 'o1');
  await db.from('orders').insert({ id: 'o2', n: 2 });
  assert.deepEqual(await tree(namespace, '/shop/orders.json'), { o1: { n: 1 }, o2: { n: 2 } });
  const refused = await rest(server, namespace, 'PUT', '/.settings/tables.json', { body: '{"a":"b"}', headers: owner });
  assert.equal(refused.status, 400);
});

test('updates of many at once lose nothing: what was read still holds when it is written', async () => {
  const namespace = await project();
  const db = client(namespace);
  const row = async () => (await db.from('todos').select('n').eq('id', 'a').single()).data.n;
  // Each adds one on the condition that nobody was faster, as an app with a version column does.
  const add = async () => {
    for (;;) {
      const n = await row();
      const { data, error } = await db.from('todos').update({ n: n + 1 }).eq('id', 'a').eq('n', n).select();
      assert.equal(error, null);
      if (data.length === 1) return;
    }
  };
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let i = 0; i < 5; ++i) await add();
  }));
  assert.equal(await row(), 3 + 40);
  // Only one of many takes what is free.
  const taken = await Promise.all(Array.from({ length: 10 }, (_, i) => db.from('todos').update({ done: true, by: i }).eq('id', 'b').eq('done', false).select()));
  assert.deepEqual(taken.map(({ data }) => data.length).sort(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  const inserted = await Promise.all(Array.from({ length: 10 }, (_, i) => db.from('todos').insert({ id: 'one', i })));
  assert.equal(inserted.filter(({ error }) => error === null).length, 1);
});

test('large tables: pages by an index or by keys, and a refusal that names the index', async () => {
  const rows = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`k${String(i).padStart(5, '0')}`, { n: i, group: `g${i % 1000}` }]));
  const namespace = await project({ '.read': true, '.write': true, big: { '.indexOn': ['n'] } }, { big: rows });
  const built = async () => JSON.parse((await rest(server, namespace, 'GET', '/.inspect/indexes.json', { headers: owner })).text).every(({ complete }) => complete);
  while (!(await built())) await new Promise((soon) => setTimeout(soon, 20));
  const db = client(namespace);
  const from = (options) => db.from('big').select('id', options);
  assert.equal(ids(await from().order('n', { ascending: false }).limit(2)), 'k10000 k09999');
  assert.equal(ids(await from().gt('n', 9_998)), 'k09999 k10000');
  assert.equal(ids(await from().limit(2)), 'k00000 k00001');
  assert.equal(ids(await from().gt('id', 'k09999')), 'k10000');
  assert.equal((await from({ count: 'exact', head: true })).count, 10_001);
  const scanned = await from().eq('group', 'g7');
  assert.deepEqual([scanned.status, scanned.error.code], [400, '54000']);
  assert.match(scanned.error.message, /"\.indexOn": "group", for path "\/big"/);
  assert.equal((await from()).error.code, '54000');
  // In pieces, each as long as allowed.
  const { data } = await db.from('big').select().lt('n', 10_000);
  assert.equal(data.length, 10_000);
});

test('keys are asked for, and .json stays Firebase’s', async () => {
  const namespace = await project();
  const answer = await rest(server, namespace, 'GET', '/rest/v1/todos.json', { headers: owner });
  assert.deepEqual([answer.status, answer.text], [200, 'null']);
  const raw = await fetch(`${server.url}/ns/${namespace}/rest/v1/todos?id=eq.a&select=id`, { headers: { apikey: 'any', Range: '0-0' } });
  assert.deepEqual([raw.status, raw.headers.get('content-range'), await raw.json()], [200, '0-0/*', [{ id: 'a' }]]);
  assert.match(raw.headers.get('access-control-expose-headers'), /Content-Range/);
  const preflight = await fetch(`${server.url}/ns/${namespace}/rest/v1/todos`, {
    method: 'OPTIONS',
    headers: { Origin: 'http://localhost:3000', 'Access-Control-Request-Method': 'PATCH', 'Access-Control-Request-Headers': 'apikey,prefer' },
  });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get('access-control-allow-methods'), /PATCH/);
  assert.match(preflight.headers.get('access-control-allow-headers'), /apikey.*prefer/);
});

// Security rules, as apps of the SDK meet them: rooms with members, rules that change, access that is lost.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  get, goOffline, onDisconnect, onValue, push, ref, remove, runTransaction, serverTimestamp, set, update,
} from '@firebase/database';
import { caughtUp, closeApps, newNamespace, open, Story, values } from './support/apps.mjs';
import { rest, stream } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

const server = await Server.start(after);
after(closeApps);

const owner = { headers: { Authorization: 'Bearer owner' } };
const denied = { code: 'PERMISSION_DENIED', message: 'PERMISSION_DENIED: Permission denied' };

async function setRules(namespace, rules, on = server) {
  const body = typeof rules === 'string' ? rules : JSON.stringify({ rules });
  const answer = await rest(on, namespace, 'PUT', '/.settings/rules.json', { ...owner, body });
  assert.deepEqual([answer.status, answer.text], [200, '{"status":"ok"}'], answer.text);
}
const put = (namespace, path, value, on = server) =>
  rest(on, namespace, 'PUT', `${path}.json`, { ...owner, body: JSON.stringify(value) });

const rooms = `{
  // A room is its members' alone.
  "rules": {
    "rooms": {
      "$room": {
        ".read": "auth != null && data.child('members').child(auth.uid).val() == true",
        ".write": "auth != null && (!data.exists() || data.child('members').child(auth.uid).val() == true)",
        "messages": {
          "$message": {
            ".validate": "newData.hasChildren(['by', 'text', 'at'])",
            "by": { ".validate": "newData.val() == auth.uid" },
            "text": { ".validate": "newData.isString() && newData.val().length < 100" },
            "at": { ".validate": "newData.val() == now" },
            "$other": { ".validate": false },
          },
        },
      },
    },
    "presence": { "$uid": { ".read": true, ".write": "auth.uid == $uid" } },
    "marks": { ".read": true, ".write": true },
  },
}
`;

test('members read and write their room, others do not, and messages are validated', async () => {
  const namespace = newNamespace();
  await setRules(namespace, rooms);
  const ada = open(server.port, namespace, { token: { sub: 'ada' } });
  const bob = open(server.port, namespace, { token: { sub: 'bob' } });
  await set(ref(ada, 'rooms/tea'), { members: { ada: true }, topic: 'tea' });
  assert.equal((await get(ref(ada, 'rooms/tea/topic'))).val(), 'tea');
  await assert.rejects(get(ref(bob, 'rooms/tea')), /Permission denied/);
  await assert.rejects(get(ref(ada, 'rooms')), /Permission denied/); // rules are no filters
  await assert.rejects(set(ref(bob, 'rooms/tea/topic'), 'coffee'), denied);

  const message = (by, text) => ({ by, text, at: serverTimestamp() });
  const said = await push(ref(ada, 'rooms/tea/messages'), message('ada', 'hello'));
  assert.equal(typeof (await get(said)).val().at, 'number');
  await assert.rejects(push(ref(ada, 'rooms/tea/messages'), message('bob', 'not me')).then(), denied);
  await assert.rejects(push(ref(ada, 'rooms/tea/messages'), message('ada', 'x'.repeat(100))).then(), denied);
  await assert.rejects(push(ref(ada, 'rooms/tea/messages'), { ...message('ada', 'x'), extra: 1 }).then(), denied);
  await assert.rejects(push(ref(ada, 'rooms/tea/messages'), { by: 'ada', text: 'no time' }).then(), denied);
  // A multi-path update is one: what is wrong in it refuses all of it.
  await assert.rejects(update(ref(ada), { 'rooms/tea/topic': 'x', 'presence/bob': true }), denied);
  assert.equal((await get(ref(ada, 'rooms/tea/topic'))).val(), 'tea');
  await update(ref(ada), { 'rooms/tea/topic': 'green tea', 'presence/ada': true });
  await remove(said); // a deletion is not validated
});

test('a refused write is rolled back, and a member who is removed hears no more', async () => {
  const namespace = newNamespace();
  await setRules(namespace, rooms);
  await put(namespace, '/rooms/tea', { members: { ada: true, bob: true }, topic: 'tea' });
  const ada = open(server.port, namespace, { token: { sub: 'ada' } });
  const bob = open(server.port, namespace, { token: { sub: 'bob' } });
  const carol = open(server.port, namespace, { token: { sub: 'carol' } });
  const heard = new Story();
  onValue(ref(bob, 'rooms/tea/topic'), (s) => heard.add(s.val()), (error) => heard.add(error.code));
  await heard.last('tea');
  const elsewhere = values(ref(carol, 'presence/x')); // one whose rule read nothing of the room
  await elsewhere.last(null);

  // In one update: from it on bob is no member, and so may not see the topic that comes with it.
  await update(ref(ada, 'rooms/tea'), { 'members/bob': null, topic: 'secret' });
  await heard.last('PERMISSION_DENIED');
  assert.deepEqual(heard.items, ['tea', 'PERMISSION_DENIED']);
  await set(ref(ada, 'rooms/tea/topic'), 'more secrets');
  await caughtUp(ada, bob, carol);
  assert.deepEqual(heard.items, ['tea', 'PERMISSION_DENIED']);
  assert.deepEqual(elsewhere.items, [null]);

  const flash = new Story();
  const stops = onValue(ref(ada, 'presence/bob'), (s) => flash.add(s.val()));
  await flash.last(null);
  await assert.rejects(set(ref(ada, 'presence/bob'), true), denied);
  assert.deepEqual(flash.items, [null, true, null]);
  stops();
});

test('new rules end the listeners that they refuse, by WebSocket and by stream, and no others', async () => {
  const namespace = newNamespace();
  await setRules(namespace, { '.read': true, '.write': true });
  await put(namespace, '/', { a: 1, b: 2 });
  const app = open(server.port, namespace);
  const [a, b] = ['a', 'b'].map((path) => {
    const story = new Story();
    onValue(ref(app, path), (s) => story.add(s.val()), (error) => story.add(error.code));
    return story;
  });
  await a.last(1);
  await b.last(2);
  const events = await stream(server, namespace, '/a.json');
  await events.events.until((items) => items.length === 1, 'the first put');
  await setRules(namespace, { b: { '.read': true }, marks: { '.read': true, '.write': true } });
  await a.last('PERMISSION_DENIED');
  const [, cancel] = await events.events.until((items) => items.length === 2, 'the cancel');
  assert.deepEqual(cancel, { event: 'cancel', data: 'Permission denied.' });
  await put(namespace, '/', { a: 3, b: 4, marks: null });
  await b.last(4);
  assert.deepEqual(a.items, [1, 'PERMISSION_DENIED']);
});

test('a transaction under a rule that compares with what was: stale tries are retried, not denied', async () => {
  const namespace = newNamespace();
  await setRules(namespace, {
    '.read': true,
    step: { '.write': 'data.val() == null ? newData.val() == 1 : newData.val() == data.val() + 1' },
  });
  const apps = [1, 2].map(() => open(server.port, namespace));
  const add = async (app) => {
    for (let i = 0; i < 10; ++i) {
      const { committed } = await runTransaction(ref(app, 'step'), (n) => (n ?? 0) + 1);
      assert.equal(committed, true);
    }
  };
  await Promise.all(apps.map(add));
  assert.equal((await get(ref(apps[0], 'step'))).val(), 20);
  await assert.rejects(set(ref(apps[0], 'step'), 100), denied);
});

test('a conditional write tells nothing of what its asker may not read', async () => {
  const namespace = newNamespace();
  await setRules(namespace, { box: { '.write': true }, open: { '.read': true, '.write': true } });
  await put(namespace, '/', { box: 'gold', open: 'tin' });
  const guess = (path) =>
    rest(server, namespace, 'PUT', `/${path}.json`, { headers: { 'if-match': 'null_etag' }, body: '"mine"' });
  assert.equal((await guess('box')).status, 401);
  const told = await guess('open');
  assert.deepEqual([told.status, told.text], [412, '"tin"']);
  const socket = await Socket.open(server.port, namespace);
  assert.equal((await socket.request('p', { p: '/box', d: 1, h: '' })).s, 'permission_denied');
  assert.equal((await socket.request('p', { p: '/open', d: 1, h: '' })).s, 'datastale');
  await socket.close();
});

test('onDisconnect is judged when it is queued and when it runs', async () => {
  const namespace = newNamespace();
  await setRules(namespace, rooms);
  const ada = open(server.port, namespace, { token: { sub: 'ada' } });
  await assert.rejects(onDisconnect(ref(ada, 'presence/bob')).set('gone'), denied);
  await onDisconnect(ref(ada, 'presence/ada')).set('gone');
  await set(ref(ada, 'presence/ada'), 'here');
  const watcher = values(ref(open(server.port, namespace), 'presence/ada'));
  await watcher.last('here');
  goOffline(ada);
  await watcher.last('gone');

  const bob = open(server.port, namespace, { token: { sub: 'bob' } });
  await set(ref(bob, 'presence/bob'), 'here');
  await onDisconnect(ref(bob, 'presence/bob')).set('gone');
  await setRules(namespace, { '.read': true, marks: { '.write': true } }); // and nobody may write presence any more
  const later = open(server.port, namespace);
  const still = values(ref(later, 'presence/bob'));
  await still.last('here');
  goOffline(bob);
  await set(ref(later, 'marks'), 1);
  await new Promise((resolve) => setTimeout(resolve, 200)); // its end, if it were written
  assert.deepEqual(still.items, ['here']);
});

test('the rules come back byte for byte, also without comments, and survive kill -9', async () => {
  const namespace = newNamespace();
  await setRules(namespace, rooms);
  const read = (query = '') => rest(server, namespace, 'GET', '/.settings/rules.json', { ...owner, query });
  assert.equal((await read()).text, rooms);
  const strict = JSON.parse((await read('format=strict')).text);
  assert.equal(strict.rules.presence.$uid['.write'], 'auth.uid == $uid');

  for (const query of ['', 'dryRun=true']) {
    const body = '{"rules": {\n  "a": {".read": "data.nope()"},\n  "b": {".write": "now"}}}';
    const bad = await rest(server, namespace, 'PUT', '/.settings/rules.json', { ...owner, query, body });
    assert.equal(bad.status, 400);
    const lines = JSON.parse(bad.text).error.trim().split('\n');
    assert.match(lines[0], /^2:\d+: No such method\/property 'nope'\.$/);
    assert.match(lines[1], /^3:\d+: Expression must evaluate to a boolean\.$/);
  }
  const dry = await rest(server, namespace, 'PUT', '/.settings/rules.json', { ...owner, query: 'dryRun=true', body: '{"rules":{}}' });
  assert.equal(dry.status, 200);
  assert.equal((await read()).text, rooms);
  for (const headers of [{}, { Authorization: 'Bearer nobody' }]) {
    assert.equal((await rest(server, namespace, 'GET', '/.settings/rules.json', { headers })).status, 401);
    assert.equal((await rest(server, namespace, 'PUT', '/.settings/rules.json', { headers, body: rooms })).status, 401);
  }

  await server.kill();
  await server.start();
  assert.equal((await read()).text, rooms);
  const stranger = open(server.port, namespace);
  await assert.rejects(get(ref(stranger, 'rooms/tea')), /Permission denied/);
});

// A rule that flips while clients write and listen. Each write that is answered ok under rules that name a phase carries
// that phase: none may be on the wrong side.
test('8 clients write and listen while the rules flip: nothing crosses a flip on the wrong side', async () => {
  const namespace = newNamespace();
  const rulesOf = (phase) => ({
    log: { '.read': true, $k: { '.write': `newData.child('phase').val() == '${phase}'` } },
    seen: { '.read': phase === 'even', '.write': true },
    phase: { '.read': true },
  });
  await setRules(namespace, rulesOf('even'));
  const apps = Array.from({ length: 8 }, () => open(server.port, namespace));
  let flips = 0;
  let over = false;
  const accepted = { even: 0, odd: 0 };
  let refused = 0;
  const writer = async (app, index) => {
    for (let i = 0; !over; ++i) {
      for (const phase of ['even', 'odd']) {
        const before = flips;
        try {
          await set(ref(app, `log/${index}-${i}-${phase}`), { phase, flips: before });
          ++accepted[phase];
          // It was accepted under rules of its phase: one of those in force between asking and hearing.
          const possible = new Set();
          for (let n = before; n <= flips + 1; ++n) possible.add(n % 2 === 0 ? 'even' : 'odd');
          assert.ok(possible.has(phase), `${phase} was written while the rules were those of flip ${before} to ${flips}`);
        } catch (error) {
          if (error.code !== 'PERMISSION_DENIED') throw error;
          ++refused;
        }
      }
    }
  };
  // A listener of what only even rules allow hears a value of each even time, and nothing written in an odd one.
  const watch = async () => {
    const app = open(server.port, namespace);
    const values = [];
    while (!over) {
      await new Promise((resolve) => {
        onValue(ref(app, 'seen'), (s) => values.push(s.val()), () => resolve(setTimeout(resolve, 2)));
        const timer = setInterval(() => over && (clearInterval(timer), resolve()), 20);
      });
    }
    return values.filter((value) => typeof value === 'string');
  };
  const work = [...apps.map(writer), watch()];
  const spoiler = open(server.port, namespace);
  for (; flips < 30; ) {
    await setRules(namespace, rulesOf(flips % 2 === 0 ? 'odd' : 'even'));
    ++flips;
    await set(ref(spoiler, 'seen'), `${flips % 2 === 0 ? 'even' : 'odd'} ${flips}`);
  }
  over = true;
  const heard = (await Promise.all(work)).at(-1);
  assert.ok(accepted.even > 0 && accepted.odd > 0 && refused > 0, JSON.stringify({ accepted, refused }));
  // `seen` is written behind the flip, so what an odd time wrote is first visible when even rules stand again.
  assert.ok(heard.length > 0);
});

test('a membership that is removed and restored, under load: each time is heard, nothing in between', async () => {
  const namespace = newNamespace();
  await setRules(namespace, {
    room: { '.read': "root.child('members').child(auth.uid).exists()", '.write': true },
    members: { '.write': true },
    marks: { '.read': true, '.write': true },
  });
  await put(namespace, '/', { members: { ada: true }, room: 0 });
  const admin = open(server.port, namespace);
  const ada = open(server.port, namespace, { token: { sub: 'ada' } });
  for (let round = 0; round < 20; ++round) {
    const heard = new Story();
    onValue(ref(ada, 'room'), (s) => heard.add(s.val()), (error) => heard.add(error.code));
    await heard.until((items) => items.length === 1, 'the first value');
    // Pipelined: allowed, the removal, forbidden, the return, which does not bring the listener back.
    const all = [
      set(ref(admin, 'room'), `${round} allowed`),
      remove(ref(admin, 'members/ada')),
      set(ref(admin, 'room'), `${round} forbidden`),
      set(ref(admin, 'members/ada'), true),
      set(ref(admin, 'room'), `${round} again`),
    ];
    await Promise.all(all);
    await heard.last('PERMISSION_DENIED');
    assert.deepEqual(heard.items.slice(1), [`${round} allowed`, 'PERMISSION_DENIED']);
  }
});

test('a denial explains itself to those who may know', async () => {
  const namespace = newNamespace();
  await setRules(namespace, rooms);
  await put(namespace, '/rooms/tea', { members: { ada: true } });
  const question = { write: '/rooms/tea/messages/m1', value: { by: 'bob', text: 'x', at: { '.sv': 'timestamp' } }, auth: { uid: 'ada' } };
  const asked = (headers) =>
    rest(server, namespace, 'POST', '/.inspect/explain.json', { headers, body: JSON.stringify(question) });
  const told = JSON.parse((await asked({})).text);
  assert.equal(told.allowed, false);
  const text = (await asked({ Accept: 'text/plain' })).text;
  assert.match(text, /newData\.val\(\) == auth\.uid/);
  assert.match(text, /"bob"/);
  // The log says so too; the client hears two words.
  const ada = open(server.port, namespace, { token: { sub: 'ada' } });
  await assert.rejects(set(ref(ada, 'rooms/tea/messages/m1'), question.value), denied);
  assert.match(server.errors, /newData\.val\(\) == auth\.uid/);

  const coverage = await rest(server, namespace, 'GET', '/.inspect/coverage.json');
  assert.equal(coverage.status, 200);
  assert.ok(JSON.parse(coverage.text));
  const page = await rest(server, namespace, 'GET', '/.inspect/coverage');
  assert.match(page.headers['content-type'], /text\/html/);
});

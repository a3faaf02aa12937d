// Who hears what: two tenants that use the same names for everything, users of all three families on all transports,
// random rows, rules, tokens, groups and filters. A reference (support/leak_model.mjs) says what each is to hear; what they
// heard is compared whenever all is quiet, and nothing may differ.
//
//   step      a row · a role · a rule · a broadcast · presence · an edit · awareness      of one tenant, told to its reference
//   quiet     a mark that everybody hears ─▶ compare ─▶ tokens are swapped, who was shut out tries again, doors are tried
//             with the other tenant's tokens
//
// TEST_SEED repeats a run, TEST_WRITES says how long it is.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { goOffline } from '@firebase/database';
import WebSocket from 'ws';
import { document, eventStream, firebase, longPoll, put, supabase, write } from './support/leak_clients.mjs';
import { groups, keys, randomBinding, randomRow, randomRule, rulesOf, sorted, tables, Tenant, users } from './support/leak_model.mjs';
import { LongPoll } from './support/long_poll.mjs';
import { Random, seedOfRun } from './support/random.mjs';
import { rest } from './support/rest.mjs';
import { Server, soon } from './support/server.mjs';
import { closeClients, sign } from './support/supabase.mjs';
import { closeYjs, until } from './support/yjs.mjs';

const seed = seedOfRun();
const writesMax = Number(process.env.TEST_WRITES ?? (process.env.HEARTH_LONG ? 20_000 : 600));
const random = new Random(seed);
const quietEvery = process.env.HEARTH_LONG ? 100 : 25; // writes of a tenant
const spaces = ['east', 'west'];

console.warn = () => {}; // y-websocket and Firebase say there what they may not

const folder = mkdtempSync(join(tmpdir(), 'hearth-leak-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const secretOf = (space) => `a-secret-of-${space}-that-is-long-enough-for-it`;
const urlOf = (space) => `https://${space}.supabase.co`;
writeFileSync(
  join(folder, 'auth.json'),
  JSON.stringify({ issuers: spaces.map((space) => ({ shape: 'supabase', url: urlOf(space), secret: secretOf(space), namespaces: [space] })) }),
);
after(closeClients);
const server = await Server.start(after, ['--auth-config', join(folder, 'auth.json'), ...spaces.flatMap((space) => ['--namespace', space])]);
after(closeYjs);

const later = Math.floor(Date.now() / 1000) + 36_000;
let tokens = 0;
function tokenFor(space, who) {
  if (who.isAdmin) return server.secret;
  return sign(secretOf(space), { iss: `${urlOf(space)}/auth/v1`, aud: 'authenticated', role: 'authenticated', sub: who.uid, level: who.level, iat: later - 36_000, exp: later, n: ++tokens });
}

const counts = { writes: 0, quiets: 0, swaps: 0, shut: 0, doors: 0 };
const compared = {}; // what was to be heard, by the kind of its listener
const count = (kind, much) => (compared[kind] = (compared[kind] ?? 0) + much);
const faults = [];
const fault = (text) => {
  faults.push(text);
  if (faults.length <= 3) console.error(text);
};

// The order of rows within one commit means nothing; that of one row's changes does.
function apart(items) {
  const all = new Map();
  for (const item of items) {
    const of = item.said ? 'said' : `${item.number} ${item.table} ${item.now.id ?? item.old.id}`;
    all.set(of, [...(all.get(of) ?? []), sorted(item)]);
  }
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1));
}

class Run {
  model = new Tenant();
  writes = 0;
  mark = 0;
  serial = 0;
  sdk = [];
  polls = [];
  streams = [];
  clients = [];
  documents = [];
  observers = {};

  constructor(space) {
    this.place = {
      server,
      space,
      admin: { Authorization: `Bearer ${server.secret}` },
      anon: sign(secretOf(space), { iss: 'supabase', role: 'anon', exp: later }),
      tokenOf: (who) => who && tokenFor(space, who),
      tag: (topic, isPrivate) => `${space} ${topic} ${isPrivate}`,
    };
  }

  user() {
    return random.below(8) === 0 ? null : { uid: random.pick(users), level: random.below(10) };
  }

  async start() {
    const { model, place } = this;
    await put(place, 'PUT', '/.settings/realtime', { public: true, channels: '/channels' });
    await put(place, 'PUT', '/.settings/documents', { paths: ['/notes'] });
    await this.changeRule();
    for (const group of groups) for (const uid of users) if (random.below(3) > 0) await this.changeRole(group, uid, random.pick(['writer', 'reader']));
    for (let i = 0; i < 8; ++i) await this.writeRows();
    await put(place, 'PUT', '/mark', 0);
    for (const group of groups) this.observers[group] = await document(place, model, { uid: 'admin', isAdmin: true }, group, 'y-websocket');
    for (let i = 0; i < 5; ++i) {
      this.sdk.push(firebase(place, this.user()));
      this.polls.push(await longPoll(place, LongPoll, this.user()));
      this.clients.push(supabase(place, this.user(), i % 2 === 0 ? '2.0.0' : '1.0.0'));
    }
    await this.fill();
  }

  async end() {
    for (const { database } of this.sdk) goOffline(database);
    for (const one of [...this.polls, ...this.streams, ...this.documents, ...Object.values(this.observers)]) one.end();
  }

  // ---- what happens ----

  async writeRows() {
    const { model, place } = this;
    const table = random.pick(tables);
    const number = ++this.writes;
    ++counts.writes;
    const key = random.pick(keys);
    const before = model.rows[table][key];
    const kind = random.below(10);
    const changed = [];
    if (kind < 4) {
      changed.push({ table, key, after: randomRow(random, number) });
      await put(place, 'PUT', `/${table}/${key}`, changed[0].after);
    } else if (kind < 6 && before) {
      const some = random.pick([{ owner: random.pick(users) }, { n: random.below(10) }, { public: random.below(2) === 0 }, { hidden: null }, { group: random.pick(groups), hidden: true }]);
      const now = Object.fromEntries(Object.entries({ ...before, ...some, w: number }).filter(([, value]) => value !== null));
      changed.push({ table, key, after: now });
      await put(place, 'PATCH', `/${table}/${key}`, { ...some, w: number });
    } else if (kind < 7) {
      changed.push({ table, key, after: undefined });
      await put(place, 'DELETE', `/${table}/${key}`);
    } else {
      const update = {};
      for (const one of new Set(Array.from({ length: 4 }, () => random.pick(keys)))) {
        const of = random.pick(tables);
        const row = random.below(4) === 0 ? undefined : randomRow(random, number);
        changed.push({ table: of, key: one, after: row });
        update[`${of}/${one}`] = row ?? null;
      }
      await put(place, 'PATCH', '/', update);
    }
    model.commit(changed);
  }

  async changeRole(group, uid, role) {
    ++counts.writes, ++this.writes;
    await put(this.place, role ? 'PUT' : 'DELETE', `/groups/${group}/${uid}`, role);
    this.model.changeRole(group, uid, role);
  }

  async changeRule() {
    const rule = randomRule(random);
    await put(this.place, 'PUT', '/.settings/rules', rulesOf(rule));
    this.model.changeRule(rule);
  }

  channels() {
    return [...this.model.channels].filter(({ isLive }) => isLive);
  }

  async broadcast() {
    const channels = this.channels();
    if (channels.length === 0) return;
    const one = random.pick(channels);
    const event = `e${++this.serial}`;
    const isBytes = one.hearsBytes && random.below(4) === 0;
    const payload = isBytes ? [1, this.serial % 256] : { at: this.place.tag(one.topic, one.isPrivate) };
    const may = this.model.say(one, event, payload, { isBytes });
    const told = await one.channel.send({ type: 'broadcast', event, payload: isBytes ? new Uint8Array(payload).buffer : payload });
    if (told !== (may ? 'ok' : 'error')) fault(`${one.name} is told ${told} when it says ${event}`);
  }

  // By HTTP, as somebody: into a group's private channel, or the public one of the same name.
  async say(who, topic, isPrivate) {
    const { model, place } = this;
    const event = `h${++this.serial}`;
    const payload = { at: place.tag(topic, isPrivate) };
    const may = model.say({ who, group: topic, topic, isPrivate }, event, payload);
    const token = who ? place.tokenOf(who) : place.anon;
    const answer = await soon(
      fetch(`${server.url}/ns/${place.space}/realtime/v1/api/broadcast`, {
        method: 'POST',
        headers: { apikey: place.anon, Authorization: `Bearer ${token}` },
        body: JSON.stringify({ messages: [{ topic, event, payload, private: isPrivate }] }),
      }),
      'the answer to a broadcast',
    );
    await answer.arrayBuffer();
    if (answer.status !== (may ? 202 : 403)) fault(`a broadcast of ${who?.uid} to ${topic} is answered ${answer.status}`);
  }

  async presence() {
    const channels = this.channels();
    if (channels.length === 0) return;
    const one = random.pick(channels);
    const may = !one.isPrivate || this.model.roleOf(one.group, one.who) === 'writer';
    if (one.present !== undefined && random.below(3) === 0) {
      await one.channel.untrack();
      one.present = undefined;
      return;
    }
    const mood = ++this.serial;
    const told = await one.channel.track({ at: this.place.tag(one.topic, one.isPrivate), mood });
    if (told !== (may ? 'ok' : 'error')) fault(`${one.name} is told ${told} when it tracks`);
    if (may) one.present = mood;
  }

  async edit() {
    const { model, observers } = this;
    const writers = [...model.documents].filter((one) => one.isLive && !one.who?.isAdmin && model.roleOf(one.group, one.who) === 'writer');
    if (writers.length === 0) return;
    const one = random.pick(writers);
    if (random.below(3) === 0) return one.beAware();
    const text = `${this.place.tag(one.group, true)} ${++this.serial}`;
    one.doc.getArray('a').push([text]);
    await until(() => observers[one.group].edits().includes(text), `the edit of ${one.name} to be told`);
    model.accepted[one.group].push(text);
  }

  async step() {
    const kind = random.below(100);
    if (kind < 60) return this.writeRows();
    if (kind < 70) return this.changeRole(random.pick(groups), random.pick(users), random.pick(['writer', 'writer', 'reader', undefined]));
    if (kind < 71) return this.changeRule();
    if (kind < 79) return this.broadcast();
    if (kind < 83) return this.say(this.user(), random.pick(groups), random.below(2) === 0);
    if (kind < 90) return this.presence();
    return this.edit();
  }

  // ---- when all is quiet ----

  async quiet() {
    const { model, place, observers } = this;
    const mark = ++this.mark;
    const changed = [];
    const update = {};
    for (const table of tables) {
      for (const [key, row] of Object.entries(model.rows[table])) {
        changed.push({ table, key, after: { ...row, mark } });
        update[`${table}/${key}/mark`] = mark;
      }
    }
    if (changed.length > 0) await put(place, 'PATCH', '/', update);
    model.commit(changed);
    await put(place, 'PUT', '/mark', mark);
    const topics = new Map(this.channels().map(({ topic, isPrivate }) => [`${topic} ${isPrivate}`, { topic, event: 'mark', payload: { mark }, private: isPrivate }]));
    if (topics.size > 0) {
      const body = JSON.stringify({ messages: [...topics.values()] });
      const answer = await fetch(`${server.url}/ns/${place.space}/realtime/v1/api/broadcast`, { method: 'POST', headers: { apikey: server.secret }, body });
      assert.equal(answer.status, 202, await answer.text());
    }
    for (const group of groups) observers[group].doc.getMap('m').set('mark', mark);

    const has = (items) => items.includes(mark);
    for (const client of [...this.sdk, ...this.polls]) await client.marks.until(has, 'the mark of a client');
    for (const channel of model.channels) {
      if (channel.isLive) await channel.marks.until(has, `the mark of ${channel.name}`);
      else await channel.statuses.until((items) => items.includes('CLOSED'), `${channel.name} to be closed`);
    }
    for (const one of model.documents) {
      if (one.isLive) await until(() => one.doc.getMap('m').get('mark') === mark, `the mark of ${one.name}`);
      else await one.ended();
    }
    await this.compare();
    ++counts.quiets;
  }

  async compare() {
    const { model } = this;
    const { space } = this.place;
    const differ = (name, expected, heard) => {
      // Where lists differ, what differs.
      const [wanted, found] = [expected, heard].map((all) => (Array.isArray(all) ? all.map((one) => JSON.stringify(one)) : [JSON.stringify(all)]));
      const but = (some, others) => some.filter((one) => !others.includes(one)).join(' ') || 'the same in another order';
      fault(`${space}: ${name} after ${counts.writes} writes, TEST_SEED=${seed}\n  is to hear ${but(wanted, found)}\n  and heard ${but(found, wanted)}`);
    };
    const shown = (items) => JSON.stringify(items.map(sorted));
    for (const one of model.readers) {
      // A stream has no mark: what is to come has to come.
      await one.heard.until((items) => items.length >= one.expected.length, one.name).catch(() => {});
      if (shown(one.expected) !== shown(one.heard.items)) differ(one.name, one.expected, one.heard.items);
      count(one.name.split(' ')[0], one.expected.length);
      // What it has now is where the next changes begin.
      one.expected = one.expected.slice(-1);
      one.heard.items.splice(0, Math.max(0, one.heard.items.length - 1));
    }
    for (const one of model.channels) {
      const [expected, heard] = [apart(one.expected), apart(one.heard.items)];
      if (JSON.stringify(expected) !== JSON.stringify(heard)) differ(one.name, expected, heard);
      for (const { said } of one.expected) count(`Supabase ${one.version} ${said ? 'broadcasts' : 'rows'}`, 1);
      one.expected = [];
      one.heard.items.length = 0;
      if (one.strays.length > 0) differ(one.name, [], one.strays);
      if (one.isLive === one.statuses.items.includes('CLOSED')) differ(one.name, `live: ${one.isLive}`, one.statuses.items);
      if (!one.isLive) continue;
      const present = Object.fromEntries(Object.entries(one.channel.presenceState()).map(([key, all]) => [key, all.length === 1 ? all[0].mood : all]).sort());
      if (JSON.stringify(present) !== JSON.stringify(model.presentWith(one))) differ(`${one.name}, presence`, model.presentWith(one), present);
      count('presence', Object.keys(present).length);
    }
    for (const { strays } of this.polls) if (strays.length > 0) differ('a poll', [], strays);
    for (const one of model.documents) {
      const all = model.accepted[one.group];
      const expected = one.isLive ? all : all.slice(0, one.kept);
      if (JSON.stringify([...expected].sort()) !== JSON.stringify(one.edits().sort())) differ(one.name, expected, one.edits());
      if (one.strays.length > 0) differ(one.name, [], one.strays);
      if (one.isLive === one.hasEnded()) differ(one.name, `live: ${one.isLive}`, 'not so');
      count(`${one.kind} edits`, expected.length);
      if (!one.isLive) continue;
      const others = [...model.documents].filter(({ group, isAware, isLive }) => group === one.group && isAware && isLive);
      const unsure = [...model.documents].filter(({ isSure }) => !isSure).map(({ name }) => name);
      const certain = (names) => names.filter((name) => !unsure.includes(name)).sort().join();
      const wanted = certain(others.map(({ name }) => name));
      await until(() => certain(one.seen()) === wanted, 'awareness', 5_000).catch(() => differ(`${one.name}, awareness`, wanted, one.seen()));
      count('awareness', others.length);
    }
  }

  // ---- changes of who is there ----

  async fill() {
    const { model, place } = this;
    for (const client of [...this.sdk, ...this.polls]) {
      for (const one of client.readers.filter(({ isLive }) => !isLive)) this.drop(client.readers, one);
      const taken = new Set(client.readers.map(({ table, key }) => `${table}/${key}`));
      for (let tries = 0; tries < 6 && client.readers.length < 6; ++tries) {
        const [table, key] = [random.pick(tables), random.pick(keys)];
        if (taken.has(`${table}/${key}`)) continue;
        taken.add(`${table}/${key}`);
        await client.listen(model, table, key);
      }
    }
    for (const one of this.streams.filter((stream) => !stream.isLive || random.below(10) === 0)) this.drop(this.streams, one);
    for (let tries = 0; tries < 12 && this.streams.length < 10; ++tries) {
      this.streams.push(await eventStream(place, model, this.user(), random.pick(tables), random.pick(keys)));
    }
    for (const client of this.clients) {
      for (const one of client.channels.filter(({ isLive }) => !isLive || random.below(6) === 0)) {
        await one.end();
        model.channels.delete(one);
        client.channels.splice(client.channels.indexOf(one), 1);
      }
      for (const topic of ['all', ...groups]) {
        if (client.channels.some((one) => one.topic === topic) || random.below(3) === 0) continue;
        const isPrivate = topic !== 'all' && random.below(4) > 0;
        const bindings = Array.from({ length: 1 + random.below(4) }, () => randomBinding(random)).filter(
          ({ binding }, i, all) => all.findIndex((other) => JSON.stringify(other.binding) === JSON.stringify(binding)) === i,
        );
        const one = await client.join(model, { topic, group: topic, isPrivate, bindings, hearsItself: random.below(2) === 0 });
        if (one === undefined) ++counts.shut;
      }
    }
    for (const one of this.documents.filter(({ isLive }) => !isLive || random.below(6) === 0)) {
      one.end();
      model.documents.delete(one);
      this.documents.splice(this.documents.indexOf(one), 1);
    }
    for (let tries = 0; tries < 8 && this.documents.length < 8; ++tries) {
      const one = await document(place, model, this.user(), random.pick(groups), random.pick(['y-websocket', 'hocuspocus']));
      if (one?.refusedWith) fault(`a document that may not be read showed ${one.refusedWith}`);
      if (one?.isLive) this.documents.push(one);
      else ++counts.shut;
    }
    await this.intrude();
  }

  drop(list, one) {
    one.end();
    this.model.readers.delete(one);
    list.splice(list.indexOf(one), 1);
  }

  // A reader's edit is not taken: whoever has it after the next mark would differ.
  async intrude() {
    const { model, place } = this;
    const group = random.pick(groups);
    const uid = users.find((name) => model.groups[group][name] === 'reader');
    if (!uid) return;
    const one = await document(place, model, { uid, level: 0 }, group, 'y-websocket');
    model.documents.delete(one);
    one.doc.getArray('a').push([`of a reader ${++this.serial}`]);
    one.provider.awareness.setLocalState({ at: 'a reader', name: 'reader' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    one.end();
  }

  async swap() {
    const { model, place } = this;
    const client = random.pick([...this.sdk, ...this.polls]);
    const whom = this.user();
    await client.swap(whom);
    for (const one of client.readers) if (one.isLive) model.changeUser(one, whom);
    const other = random.pick(this.clients);
    const next = { uid: random.pick(users.filter((uid) => uid !== other.who?.uid)), level: random.below(10) };
    const channels = other.channels.filter(({ isLive }) => isLive);
    for (const one of channels) one.who = next;
    await other.swap(next);
    for (const one of channels) {
      if (one.isPrivate && model.roleOf(one.group, next) === undefined) {
        await one.statuses.until((items) => items.includes('CLOSED'), `${one.name} to be closed by its token`);
      } else {
        // The new right is in force as soon as a row that it alone shows is heard.
        const from = one.own.items.length;
        for (let tries = 0; one.own.items.length === from && tries < 200; ++tries) {
          await put(place, 'PUT', `/own/${next.uid}`, ++this.serial);
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        if (one.own.items.length === from) fault(`${one.name} has no right of its new token`);
      }
      model.changeUser(one, next);
    }
    ++counts.swaps;
  }

  // The other tenant's token opens nothing here.
  async tryDoors(other) {
    const { space } = this.place;
    const token = other.place.tokenOf({ uid: random.pick(users), level: 9 });
    const refused = (what, status) => {
      ++counts.doors;
      if (status !== 401) fault(`${space}: ${what} with a token of ${other.place.space} is answered ${status}`);
    };
    const headers = { Authorization: `Bearer ${token}` };
    refused('a read', (await rest(server, space, 'GET', '/mark.json', { headers })).status);
    refused('a stream', (await rest(server, space, 'GET', '/mark.json', { headers: { ...headers, Accept: 'text/event-stream' } })).status);
    for (const apikey of [token, other.place.anon]) {
      refused('a socket', (await fetch(`${server.url}/ns/${space}/realtime/v1/websocket?apikey=${apikey}&vsn=2.0.0`)).status);
      refused('a socket', (await fetch(`${server.url}/realtime/v1/websocket?apikey=${apikey}&vsn=2.0.0&ns=${space}`)).status);
    }
    for (const target of [`/ns/${space}/yjs/notes/g0?token=${token}`, `/yjs/notes/g0?ns=${space}&token=${token}`]) {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}${target}`);
      let bytes = 0;
      socket.on('message', (data) => (bytes += data[0] === 2 ? 0 : data.length));
      socket.on('error', () => {});
      const code = await soon(new Promise((resolve) => socket.on('close', resolve)), 'the end of a document');
      ++counts.doors;
      if (code !== 4401 || bytes > 0) fault(`${space}: a document with a token of ${other.place.space} ends with ${code} after ${bytes} bytes`);
    }
  }
}

test('everybody hears what the rules allow, and nothing else', { timeout: 3_600_000 }, async (t) => {
  t.diagnostic(`TEST_SEED=${seed}`);
  console.log(`TEST_SEED=${seed}`);
  const [east, west] = spaces.map((space) => new Run(space));
  const began = Date.now();
  try {
    await east.start();
    await west.start();
    while (counts.writes < writesMax && faults.length === 0) {
      for (const run of [east, west]) {
        const until = run.writes + quietEvery;
        while (run.writes < until) await run.step();
      }
      for (const run of [east, west]) {
        await run.quiet();
        await run.swap();
        await run.quiet();
        await run.fill();
        if (counts.quiets % 8 === 0) await run.tryDoors(run === east ? west : east);
      }
    }
    for (const run of [east, west]) await run.quiet();
  } finally {
    console.log(`${JSON.stringify(counts)} compared ${JSON.stringify(compared)} in ${Math.round((Date.now() - began) / 1000)} s`);
    await east.end();
    await west.end();
  }
  assert.equal(faults.length, 0, `${faults.length} differences, the first: ${faults[0]}`);
});

// The clients of leak.test.mjs: each is a listener of the reference (leak_model.mjs) with what it has really heard.
//
//   reader    one row's value      Firebase SDK over a WebSocket · long polling · an event stream
//   channel   rows, broadcast,     Supabase, version 1 and 2 of its protocol, private and public
//             presence
//   document  edits, awareness     y-websocket · Hocuspocus
import { get, off, onValue, ref } from '@firebase/database';
import { Story } from './apps.mjs';
import { rest, stream } from './rest.mjs';
import { soon } from './soon.mjs';
import { connect, subscribe } from './supabase.mjs';
import { openSignedIn } from './tokens.mjs';
import { hocuspocus, until, yWebsocket } from './yjs.mjs';

let serial = 0;

const reader = (kind, who, table, key) => ({ name: `${kind} ${++serial} of ${who?.uid} at ${table}/${key}`, who, table, key, isLive: false, expected: [], heard: new Story() });

// One connection, which hears one story: {listen, swap, mark, end}. `place`: {server, space, tokenOf}.
export function firebase(place, who) {
  const user = { who, token: () => place.tokenOf(user.who) };
  const database = openSignedIn(place.server.port, place.space, user);
  const marks = new Story();
  onValue(ref(database, 'mark'), (snapshot) => marks.add(snapshot.val()));
  return {
    marks,
    readers: [],
    get who() {
      return user.who;
    },
    async listen(model, table, key) {
      const one = reader('SDK', user.who, table, key);
      const at = ref(database, `${table}/${key}`);
      onValue(at, (snapshot) => one.heard.add(snapshot.val()), () => one.heard.add('cancelled'));
      await first(model, one);
      one.end = () => off(at);
      this.readers.push(one);
    },
    async swap(whom) {
      user.who = whom;
      user.changed();
      if (whom) await get(ref(database, `own/${whom.uid}`)); // answered only by the new right
      else await get(ref(database, 'mark'));
    },
    end: () => database.app.container.getProvider('database').getImmediate().goOffline?.(),
    database,
  };
}

// The first word is not compared with a change: it is what there is.
async function first(model, one) {
  one.isLive = true;
  model.readers.add(one);
  const row = model.rows[one.table][one.key];
  if (model.mayRead(row, one.who)) one.expected.push(row ?? null);
  else {
    one.isLive = false;
    one.expected.push('cancelled');
  }
  await one.heard.until((items) => items.length > 0, `the first word of ${one.name}`);
}

export async function longPoll(place, LongPoll, who) {
  const poll = await LongPoll.open(place.server.port, place.space);
  const marks = new Story();
  const byPath = new Map();
  poll.heard.add = ({ a, p, d }) => {
    if (p === 'mark') return marks.add(d);
    const one = [...byPath.keys()].find((path) => p === path || p.startsWith(`${path}/`));
    const story = byPath.get(one);
    if (!story) return strays.push(`${a} ${p}`);
    if (a === 'c') return story.add('cancelled');
    story.add(patched(story.items.at(-1), a === 'm', p.slice(one.length).split('/').filter(Boolean), d));
  };
  const strays = [];
  const client = {
    marks,
    strays,
    readers: [],
    who,
    async listen(model, table, key) {
      const one = reader('poll', client.who, table, key);
      byPath.set(`${table}/${key}`, one.heard);
      const answer = poll.request('q', { p: `/${table}/${key}`, h: '' });
      answer.then(({ s }) => {
        if (s === 'permission_denied') one.heard.add('cancelled');
        else if (one.heard.items.length === 0) one.heard.add(null); // nothing is there
      });
      await first(model, one);
      await answer;
      one.end = () => poll.request('n', { p: `/${table}/${key}` });
      client.readers.push(one);
    },
    async swap(whom) {
      client.who = whom;
      if (whom) await poll.request('auth', { cred: place.tokenOf(whom) });
      else await poll.request('unauth', {});
    },
    end: () => poll.close(),
  };
  if (who) await poll.request('auth', { cred: place.tokenOf(who) });
  await poll.request('q', { p: '/mark', h: '' });
  return client;
}

function patched(value, isMerge, path, data) {
  if (path.length > 0) {
    const now = patched(value?.[path[0]], isMerge, path.slice(1), data);
    return trimmed({ ...(value === 'cancelled' ? {} : value), [path[0]]: now });
  }
  return isMerge ? trimmed({ ...value, ...data }) : data;
}

function trimmed(value) {
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return members.length > 0 ? Object.fromEntries(members) : null;
}

// An event stream: one connection for one row.
export async function eventStream(place, model, who, table, key) {
  const one = reader('stream', who, table, key);
  const headers = who ? { Authorization: `Bearer ${place.tokenOf(who)}` } : {};
  const source = await stream(place.server, place.space, `/${table}/${key}.json`, { headers });
  if (source.status !== 200) {
    source.close();
    one.heard.add('cancelled');
  } else {
    const add = ({ event, data }) => {
      if (event === 'cancel') return one.heard.add('cancelled');
      if (event === 'put' || event === 'patch') one.heard.add(patched(one.heard.items.at(-1), event === 'patch', data.path.split('/').filter(Boolean), data.data));
      else if (event !== 'keep-alive') one.heard.add(`? ${event}`);
    };
    for (const event of source.events.items) add(event);
    source.events.add = add;
  }
  await first(model, one);
  one.end = () => source.close();
  return one;
}

// ---- Supabase ----

export function supabase(place, who, version) {
  const user = { who };
  const client = connect(place.server, place.space, { key: place.anon, token: () => (user.who ? place.tokenOf(user.who) : place.anon), realtime: { vsn: version } });
  const all = {
    version,
    channels: [],
    get who() {
      return user.who;
    },
    // `topic`: a group's channel, or any public one.
    async join(model, { topic, group, isPrivate, bindings, hearsItself }) {
      const presenceKey = `${user.who?.uid}-${++serial}`;
      const channel = client.channel(topic, { config: { private: isPrivate, broadcast: { ack: true, self: hearsItself }, presence: { key: presenceKey } } });
      const one = { name: `channel ${serial} of ${user.who?.uid} at ${topic}${isPrivate ? '' : ' (public)'} ${version}`, version, channel, who: user.who, topic, group, isPrivate, bindings, hearsItself, presenceKey };
      Object.assign(one, { hearsBytes: version === '2.0.0', isLive: false, isSure: true, expected: [], heard: new Story(), marks: new Story(), own: new Story(), strays: [] });
      bindings.forEach(({ binding }, number) => {
        channel.on('postgres_changes', { schema: 'public', ...binding }, ({ eventType, table, new: now, old }) => {
          if (table === 'own') return;
          one.heard.add({ number, table, kind: eventType, now, old });
        });
      });
      channel.on('postgres_changes', { event: '*', schema: 'public', table: 'own' }, ({ new: now, old }) => {
        const uid = now?.id ?? old.id;
        if (uid !== one.who?.uid) one.strays.push(`own/${uid}`);
        one.own.add(now?.value);
      });
      channel.on('broadcast', { event: '*' }, ({ event, payload }) => {
        if (event === 'mark') return one.marks.add(payload.mark);
        one.heard.add({ said: event, payload: payload instanceof ArrayBuffer ? [...new Uint8Array(payload)] : payload });
      });
      channel.on('presence', { event: 'join' }, ({ newPresences }) => {
        for (const { at } of newPresences) if (at !== place.tag(topic, isPrivate)) one.strays.push(`presence of ${at}`);
      });
      channel.on('presence', { event: 'sync' }, () => {});
      await client.realtime.setAuth();
      one.statuses = subscribe(channel);
      const may = !isPrivate || model.roleOf(group, one.who) !== undefined;
      if (!may) {
        await one.statuses.until((items) => items.some((status) => status.startsWith('CHANNEL_ERROR')), `${one.name} to be refused`);
        await client.removeChannel(channel);
        return undefined;
      }
      await one.statuses.until((items) => items.includes('SUBSCRIBED'), `${one.name} to be subscribed`);
      one.isLive = true;
      one.end = () => client.removeChannel(channel);
      model.channels.add(one);
      all.channels.push(one);
      return one;
    },
    async swap(whom) {
      user.who = whom;
      await client.realtime.setAuth();
    },
    client,
  };
  return all;
}

// ---- Yjs ----

export async function document(place, model, who, group, kind) {
  const options = { token: who && place.tokenOf(who) };
  const client = (kind === 'hocuspocus' ? hocuspocus : yWebsocket)(place.server, place.space, `notes/${group}`, options);
  const one = { name: `${kind} ${++serial} of ${who?.uid} at notes/${group}`, kind, who, group, isPrivate: true, isLive: false, isSure: true, isAware: false, strays: [], ...client };
  const ended = () => (client.failures ?? client.closed).items.length > 0;
  one.ended = () => until(ended, `${one.name} to be ended`);
  one.hasEnded = ended;
  const { awareness } = client.provider;
  awareness.on('update', ({ added, updated }) => {
    for (const id of [...added, ...updated]) {
      const at = awareness.getStates().get(id)?.at;
      if (at !== undefined && at !== place.tag(group, true)) one.strays.push(`awareness of ${at}`);
    }
  });
  one.edits = () => client.doc.getArray('a').toArray();
  one.seen = () => [...awareness.getStates().values()].map(({ name }) => name).filter(Boolean).sort();
  one.beAware = () => {
    one.isAware = one.isSure = true;
    awareness.setLocalState({ at: place.tag(group, true), name: one.name });
  };
  one.end = () => {
    client.provider.destroy();
    client.socket?.destroy();
  };
  if (!who?.isAdmin && model.roleOf(group, who) === undefined) {
    await one.ended();
    one.end();
    return one.edits().length > 0 ? { refusedWith: one.edits() } : undefined;
  }
  await until(() => client.provider.synced || client.provider.isSynced, `${one.name} to be synced`);
  one.isLive = true;
  model.documents.add(one);
  return one;
}

// An event that is written by one who may: by REST. {status, text}.
export const write = (place, method, path, body) =>
  rest(place.server, place.space, method, `${path}.json`, { headers: place.admin, body: body === undefined ? undefined : JSON.stringify(body) });

export async function put(place, method, path, body) {
  const answer = await soon(write(place, method, path, body), `the answer to ${method} ${path}`);
  if (answer.status !== 200 && answer.status !== 204) throw new Error(`${method} ${path} is answered ${answer.status}: ${answer.text}`);
}

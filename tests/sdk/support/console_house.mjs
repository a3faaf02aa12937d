// A house with people in it, for the console to show: a Firebase client that listens and has something queued for when it goes,
// a Supabase channel with presence, a Yjs document, a webhook whose receiver refuses, and writes that rules deny. Names, keys and
// values are what the caller gives, markup too.
import { set, ref, onValue, onDisconnect, query, limitToLast, orderByChild } from '@firebase/database';
import { open, values } from './apps.mjs';
import { owner } from './console.mjs';
import { rest } from './rest.mjs';
import { connect, joined } from './supabase.mjs';
import { hocuspocus, until } from './yjs.mjs';

export const houseFlags = (receiver) => [
  ...['--dev', '--history', '1h,100MB,versions', '--webhook-host', `127.0.0.1:${receiver.port}`, '--webhook-private'],
  ...['--webhook-attempts', '2', '--webhook-retry', '20ms,100ms'],
];

// What everybody may do there: `open` is for all, `secret` for nobody.
export const houseRules = {
  rules: {
    open: { '.read': true, '.write': true, list: { '.indexOn': 'n' } },
    secret: { '.read': 'auth != null && auth.uid == "nobody"', '.write': false },
  },
};

export class House {
  constructor(server, space) {
    Object.assign(this, { server, space });
  }
  async ask(method, path, body, query) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await rest(this.server, this.space, method, path, { headers: owner, query, body: text });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.text === '' ? undefined : JSON.parse(answer.text);
  }

  // `uid`: who listens at /open/list, and leaves `farewell` at /open/status when gone.
  async enter(uid, farewell) {
    const database = open(this.server.port, this.space, { token: { sub: uid } });
    const heard = values(query(ref(database, 'open/list'), orderByChild('n'), limitToLast(5)));
    onValue(ref(database, 'open/status'), () => {});
    await onDisconnect(ref(database, 'open/status')).set(farewell);
    await heard.until((all) => all.length > 0, 'the first value');
    return database;
  }
  // A write that the rules deny.
  async knock(database, key) {
    await set(ref(database, `secret/${key}`), 1).catch(() => {});
  }
  async join(topic, key, state) {
    const client = connect(this.server, this.space);
    const channel = client.channel(topic, { config: { presence: { key } } });
    channel.on('presence', { event: 'sync' }, () => {});
    await joined(channel);
    await channel.track(state);
    return channel;
  }
  async write(name, title) {
    const editor = hocuspocus(this.server, this.space, name);
    await until(() => editor.provider.isSynced, 'the document to be synced');
    editor.doc.getMap('about').set('title', title);
    await until(() => !editor.provider.hasUnsyncedChanges, 'the document to be saved');
    return editor;
  }
  // A webhook for `path`: { id, secret }.
  hook(url, path) {
    return this.ask('POST', '/.webhooks.json', { url, path, before: true });
  }
}

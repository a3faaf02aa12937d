// Clients of the published Supabase package, and what their channels heard. Transport is npm's `ws`: Node's own WebSocket
// (20 has none, 22's never reports a connect that failed) is not what browsers have.
import { createHmac } from 'node:crypto';
import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';
import { Story } from './apps.mjs';

const clients = [];

// `namespace`: of the URL's path. `key`: the project's. `token`: a function that says who the user is now.
export function connect(server, namespace, { key = 'any-key', token, realtime = {} } = {}) {
  const client = createClient(`${server.url}/ns/${namespace}`, key, {
    realtime: { transport: WebSocket, ...realtime },
    auth: { persistSession: false, autoRefreshToken: false },
    ...(token && { accessToken: async () => token() }),
  });
  clients.push(client);
  return client;
}

// For an `after` hook of each file, registered before its servers are: what a client has begun while its server is gone it
// goes on with also after disconnect(), for ever. Three things of realtime-js 2.119 would keep the process: that one, and
// two kinds of timers of ten seconds, which are ended here.
export function closeClients() {
  for (const client of clients.splice(0)) {
    for (const channel of client.getChannels()) {
      // Each push waits for a reply, also one that has none (access_token), and is not told when its channel ends.
      for (const { event, callback } of [...channel.channelAdapter.channel.bindings]) {
        if (event.startsWith('chan_reply_')) callback({ status: 'closed', response: {} });
      }
      channel.teardown();
    }
    disconnect(client);
  }
}

// disconnect() sets a timer for a server that does not answer its close, and never clears it (phoenix/socketAdapter.ts).
export function disconnect(client) {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (...timer) => setTimeout(...timer).unref();
  try {
    client.realtime.disconnect();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}

// Subscribes, and says how the channel stands: a Story of statuses; `error` of those that have one.
export function subscribe(channel) {
  const statuses = new Story();
  channel.subscribe((status, error) => statuses.add(error ? `${status} ${error.message}` : status));
  return statuses;
}

export async function joined(channel) {
  const statuses = subscribe(channel);
  await statuses.until((all) => all.includes('SUBSCRIBED'), 'the channel to be subscribed');
  return statuses;
}

// What happens to rows: a Story of {eventType, new, old, table}.
export function changes(channel, binding) {
  const story = new Story();
  channel.on('postgres_changes', { event: '*', schema: 'public', ...binding }, ({ eventType, table, new: now, old, errors, commit_timestamp }) => {
    story.add({ eventType, table, now, old, errors, commit_timestamp });
  });
  return story;
}

// A JWT signed with HS256.
export function sign(secret, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

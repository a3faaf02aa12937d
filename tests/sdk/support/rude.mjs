// Sockets of Supabase and Yjs that say what no client would, and the server's figures of what it keeps for them.
import { readFileSync } from 'node:fs';
import WebSocket from 'ws';
import { Story } from './apps.mjs';
import { patience, soon } from './server.mjs';

const open = new Set();

// For an `afterEach` hook.
export function endSockets() {
  for (const socket of open) socket.terminate();
}

// {socket, heard, closed}: `heard` are buffers; `closed` is the close code, as soon as there is one.
export async function socketAt(server, path) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`);
  open.add(socket);
  socket.on('close', () => open.delete(socket));
  const heard = new Story();
  socket.on('message', (data) => heard.add(data));
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.on('close', resolve));
  await soon(new Promise((resolve) => socket.on('open', resolve)), `a socket at ${path.slice(0, 80)}`);
  return { socket, heard, closed, end: () => socket.terminate() };
}

// As `socketAt`, of Supabase: `heard` are messages, and `say(join_ref, ref, topic, event, payload)`.
export async function phoenix(server, namespace, query = 'apikey=k&vsn=2.0.0') {
  const one = await socketAt(server, `/ns/${namespace}/realtime/v1/websocket?${query}`);
  const heard = new Story();
  one.heard.add = (data) => heard.add(data[0] === 4 ? said(data) : JSON.parse(data));
  const say = (...message) => one.socket.send(JSON.stringify(message));
  // The reply to the message of that ref.
  const reply = async (ref) => {
    const is = ([, of, , event]) => event === 'phx_reply' && of === ref;
    return (await heard.until((items) => items.some(is), `the reply to ${ref}`)).find(is)[4];
  };
  const join = (topic, config = {}) => {
    say(topic, topic, `realtime:${topic}`, 'phx_join', { config });
    return reply(topic);
  };
  return { ...one, heard, say, reply, join };
}

// A binary broadcast of ASCII JSON, as the message that a text frame would have.
function said(bytes) {
  const [, topic, event, meta] = bytes;
  const text = bytes.subarray(5).toString();
  const payload = JSON.parse(text.slice(topic + event + meta));
  return [null, null, text.slice(0, topic), 'broadcast', { event: text.slice(topic, topic + event), payload }];
}

export const hears = (items, topic, event) => items.filter((message) => message[2] === `realtime:${topic}` && message[3] === event);

// ---- Yjs ----

export function varUint(number) {
  const bytes = [];
  for (; number > 127; number = Math.floor(number / 128)) bytes.push((number & 127) | 128);
  return Buffer.from([...bytes, number]);
}
export function varBuf(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([varUint(bytes.length), bytes]);
}
export const step1 = Buffer.from([0, 0, 1, 0]); // of one who has nothing
export const update = (bytes) => Buffer.concat([Buffer.from([0, 2]), varBuf(bytes)]);
export const token = (text = '') => Buffer.concat([Buffer.from([2, 0]), varBuf(text)]);
// `all`: [client, clock, state] each.
export function awareness(all) {
  const entries = all.map(([client, clock, state]) => Buffer.concat([varUint(client), varUint(clock), varBuf(JSON.stringify(state))]));
  return Buffer.concat([Buffer.from([1]), varBuf(Buffer.concat([varUint(all.length), ...entries]))]);
}
// The same entries of a frame of awareness, of small states.
export function saidOf(frame) {
  let at = 1;
  const next = () => {
    let number = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = frame[at++];
      number += (byte & 127) * scale;
      if (byte < 128) return number;
    }
  };
  next(); // bytes
  return Array.from({ length: next() }, () => {
    const [client, clock, length] = [next(), next(), next()];
    at += length;
    return [client, clock, JSON.parse(frame.subarray(at - length, at).toString())];
  });
}
// A frame of Hocuspocus.
export const named = (name, message) => Buffer.concat([varBuf(name), message]);

// ---- the server ----

export async function figures(server) {
  const answer = await fetch(`${server.url}/.metrics`, { headers: { Authorization: 'Bearer owner' } });
  const lines = (await answer.text()).split('\n').filter((line) => line && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

const gone = ['hearth_topics', 'hearth_topic_members', 'hearth_memory_bytes{of="topics"}', 'hearth_memory_bytes{of="listeners"}', 'hearth_pending_bytes'];

// When all clients have gone, nothing is kept for them, and the server answers.
export async function nothingLeft(server, names = gone) {
  const deadline = Date.now() + patience;
  let left;
  do {
    const now = await figures(server);
    left = names.filter((name) => now[name] > 0).map((name) => `${name} ${now[name]}`);
    if (left.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  } while (Date.now() < deadline);
  throw new Error(`still there: ${left}`);
}

// MB that the process has, and the most it ever had.
export function memory(server) {
  const text = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  const of = (name) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)[1]) / 1024);
  return { now: of('VmRSS'), most: of('VmHWM') };
}

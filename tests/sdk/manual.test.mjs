// What the chapters "supabase", "yjs" and "presence" have their reader do, done: blocks of them as they stand there.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Desk, block } from './support/manual.mjs';
import { Server } from './support/server.mjs';
import { sign } from './support/supabase.mjs';

const server = await Server.start(after);
const desk = new Desk(after, server.port);
const ending = '\nsetTimeout(() => process.exit(), 60_000);\n';

const firstLines = block('supabase', 'save this as `todos.mjs`', 'js');

test('supabase: the first lines write and read rows, and hear what curl writes', async () => {
  const app = desk.run('todos.mjs', firstLines);
  await app.until(/SUBSCRIBED\nINSERT { id: 'b', done: false, text: 'iron' } {}\nto do: \[ { id: 'b', done: false, text: 'iron' } \]/);
  await desk.shell(block('supabase', 'Then change something', 'sh'));
  await app.until(/INSERT { id: 'a', text: 'wash' } {}\nUPDATE { id: 'a', done: true, text: 'wash' } { id: 'a', text: 'wash' }\nDELETE {} { id: 'a', done: true, text: 'wash' }/);
});

test('yjs: y-websocket writes, Hocuspocus reads, curl removes', async () => {
  const writer = desk.run('notes.mjs', block('yjs', 'save this as `notes.mjs`', 'js'));
  await writer.until(/^hello $/m);
  const reader = desk.run('hocuspocus.mjs', block('yjs', 'as `hocuspocus.mjs`', 'js'));
  await reader.until(/^hello $/m);
  writer.stop();
  await desk.shell(block('yjs', 'To remove a document', 'sh'));
  const again = desk.run('again.mjs', block('yjs', 'as `hocuspocus.mjs`', 'js'));
  await again.until(/^$/m);
});

test('presence: who is here, and a cursor by a channel and by HTTP; names by awareness', async () => {
  const [first] = firstLines.split('supabase\n');
  const room = block('presence', '## Supabase', 'js');
  const ada = desk.run('ada.mjs', first + room);
  await ada.until(/here: \[ 'ada' \]/);
  const ben = desk.run('ben.mjs', first + room.replace("'ada'", "'ben'"));
  await ada.until(/here: \[ 'ada', 'ben' \]/);
  await ada.until(/cursor { x: 1, y: 2 }/);
  await ben.until(/here: \[ 'ada', 'ben' \]/);
  await desk.shell(block('presence', 'By HTTP', 'sh'));
  for (const who of [ada, ben]) await who.until(/cursor { x: 3 }/);

  const notes = block('yjs', 'save this as `notes.mjs`', 'js');
  const cursors = block('presence', '## Yjs', 'js');
  const one = desk.run('one.mjs', notes + cursors);
  await one.until(/\[ 'Ada' \]/);
  desk.run('two.mjs', notes + cursors.replace("'Ada'", "'Ben'"));
  await one.until(/\[ 'Ada', 'Ben' \]/);
});

test('supabase, yjs: outside of development, settings and rules open what tokens may do', async () => {
  const secret = 'a-secret-of-a-project-that-is-long-enough';
  const files = new Desk(after, 0);
  files.write('project.secret', secret);
  const config = files.write('auth.json', JSON.stringify({ issuers: [{ shape: 'supabase', url: 'http://127.0.0.1', secret_file: 'project.secret' }] }));
  const shop = await Server.start(after, ['--auth-config', config, '--namespace', 'shop']);
  const production = new Desk(after, shop.port);
  production.write('hearth-data/admin-secret', shop.secret);
  await production.shell(block('supabase', 'Outside of `--dev` there are none', 'sh'));
  await production.shell(block('yjs', '`/.settings/documents.json`:', 'sh'));

  const rules = (chapter, mark) => JSON.parse(block(chapter, mark, 'json')).rules;
  const all = { ...rules('supabase', '## Rights'), ...rules('supabase', 'A channel `room/tea` is judged'), ...rules('yjs', '| `.write` | to edit') };
  const put = async (path, value) => {
    const headers = { Authorization: `Bearer ${shop.secret}` };
    const answer = await fetch(`${shop.url}${path}.json?ns=shop`, { method: 'PUT', headers, body: JSON.stringify(value) });
    assert.equal(answer.status, 200, await answer.text());
  };
  await put('/.settings/rules', { rules: all });
  await put('/members/tea', { ada: 'speaker', ben: 'listener', cy: 'writer' });

  const now = Math.floor(Date.now() / 1_000);
  const token = (role, sub) => sign(secret, { iss: 'http://127.0.0.1/auth/v1', aud: 'authenticated', role, sub, iat: now, exp: now + 3_600 });
  const environment = (uid) => ({ ANON_KEY: token('anon'), USER_TOKEN: token('authenticated', uid), TOKEN: token('authenticated', uid) });

  // A private channel, and rows of one's own.
  const imports = firstLines.split('const supabase')[0];
  const client = imports + block('supabase', 'by `accessToken`:', 'js');
  const channel = `
    const room = supabase.channel('room/tea', { config: { private: true, broadcast: { ack: true } } });
    room.on('broadcast', { event: '*' }, ({ payload }) => console.log('heard', payload));
    room.on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, ({ new: now }) => console.log('row', now));
    room.subscribe(async (status, error) => {
      console.log(status, error?.message ?? '');
      if (status === 'SUBSCRIBED') console.log('sent', await room.send({ type: 'broadcast', event: 'x', payload: { n: 1 } }));
    });`;
  const ben = production.run('ben.mjs', client + channel, environment('ben'));
  await ben.until(/SUBSCRIBED[^]*sent error/);
  const ada = production.run('ada.mjs', client + channel, environment('ada'));
  await ada.until(/SUBSCRIBED[^]*sent ok/);
  await ben.until(/heard { n: 1 }/);
  const eve = production.run('eve.mjs', client + channel, environment('eve'));
  await eve.until(/CHANNEL_ERROR Unauthorized/);
  await put('/todos/1', { owner: 'ben', text: 'tea' });
  await put('/todos/2', { owner: 'ada', text: 'milk' });
  await ada.until(/row { id: '2', owner: 'ada', text: 'milk' }/);
  await ben.until(/row { id: '1', owner: 'ben', text: 'tea' }/);
  assert.doesNotMatch(ada.output, /id: '1'/);

  // A document.
  const notes = block('yjs', 'save this as `notes.mjs`', 'js')
    .replace('127.0.0.1:9000/yjs', '127.0.0.1:9000/ns/shop/yjs')
    .replace("'notes/today'", "process.env.ROOM")
    .replace('{ WebSocketPolyfill', '{ params: { token: process.env.TOKEN }, WebSocketPolyfill');
  const told = "\nprovider.on('closed', ({ code }) => console.log('closed', code));\n";
  const open = (uid, room) => production.run(`${uid}.mjs`, notes + told + ending, { ...environment(uid), ROOM: room });
  const cy = open('cy', 'notes/tea');
  await cy.until(/^hello $/m);
  await open('ben', 'notes/tea').until(/hello hello/); // its own edit, which is not taken
  assert.doesNotMatch(cy.output, /hello hello/);
  await open('eve', 'notes/tea').until(/closed 4403/);
  await open('cy', 'elsewhere').until(/closed 4403/);
});

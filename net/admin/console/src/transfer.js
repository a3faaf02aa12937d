// Dumps and restores, by the requests of `hearth dump` and `hearth restore`. `tell({ text, part })` hears how far it is; `part` is of
// 1, and not there while nobody knows.
import { admin, request } from './api.js';
import { say } from './state.js';
import { bytes, save } from './ui.jsx';

const kPiece = 8_000_000; // of a file that is restored, in one request
const kEvery = 500; // how often it is asked how far the server is

// Asks at that address how far it is, until `done` is.
async function watch(path, query, tell, done) {
  const timer = setInterval(async () => {
    try {
      tell((await admin('GET', path, { query })).value.part);
    } catch {
      // it is over, or has not begun
    }
  }, kEvery);
  try {
    return await done;
  } finally {
    clearInterval(timer);
  }
}

// To disk as it comes where the browser can do that; else by way of its memory.
async function targetOf(file) {
  if (window.showSaveFilePicker === undefined) {
    const parts = [];
    return { write: (piece) => parts.push(piece), close: () => save(file, parts, 'application/octet-stream') };
  }
  return (await window.showSaveFilePicker({ suggestedName: file })).createWritable();
}

async function receive(answer, target, tell) {
  let size = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    await target.write(value);
    tell(size);
  }
  await target.close();
  return size;
}

export async function dump(name, format, tell) {
  let target;
  try {
    target = await targetOf(`${name}.${format === 'json' ? 'json' : 'hearth'}`);
  } catch (error) {
    if (error.name === 'AbortError') return;
    throw error;
  }
  const run = `console-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
  const now = { size: 0, part: undefined };
  const show = (more) => {
    Object.assign(now, more);
    tell({ text: `${bytes(now.size)} of ${name}`, part: now.part });
  };
  const done = (async () => {
    const answer = await request('GET', '/.settings/dump', { query: { ns: name, format, name: run }, own: true });
    if (!answer.ok) throw new Error(`The server refused: ${(await answer.text()).slice(0, 300)}`);
    return receive(answer, target, (size) => show({ size }));
  })();
  const size = await watch('/.settings/dump.json', { name: run }, (part) => show({ part }), done);
  say(`Dumped ${name}: ${bytes(size)}.`);
}

export async function restore(name, file, replace, tell) {
  const {
    value: { upload },
  } = await admin('POST', '/.settings/restore.json');
  for (let at = 0; at < file.size; at += kPiece) {
    tell({ text: `${bytes(at)} of ${bytes(file.size)} sent`, part: at / file.size });
    await admin('PUT', '/.settings/restore.json', {
      query: { upload, at },
      body: await file.slice(at, at + kPiece).arrayBuffer(),
    });
  }
  tell({ text: `${bytes(file.size)} sent, restoring…` });
  const query = { upload, ns: name };
  if (replace) query.replace = 'true';
  const { value } = await watch(
    '/.settings/restore.json',
    { upload },
    (part) => tell({ text: `restoring ${name}…`, part }),
    admin('POST', '/.settings/restore.json', { query }),
  );
  say(`Restored ${value.restored.map((one) => `${one.ns}${one.path}`).join(', ')}.`);
}

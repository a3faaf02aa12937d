// Dumps and restores, by the requests of `hearth dump` and `hearth restore`. One at a time, and it goes on while one looks at other
// pages: `running` has { title, phase, text, part, cancel } of it; `part` is of 1, and not there while nobody knows.
import { signal } from '@preact/signals';
import { admin, request } from './api.js';
import { attempt, say } from './state.js';
import { bytes, save } from './ui.jsx';

const kPiece = 8_000_000; // of a file that is restored, in one request
const kEvery = 300; // how often it is asked how far the server is

export const running = signal(null);

// `does(tell, signal)` until it is over. `cancel` aborts the signal: what that means is its own to say.
function run(title, does) {
  if (running.value !== null) return say('Another dump or restore is under way.', { isBad: true });
  const ending = new AbortController();
  const cancel = () => {
    tell({ cancel: null, text: 'giving it up…' });
    ending.abort();
  };
  const tell = (more) => {
    running.value = { ...running.value, ...more };
  };
  running.value = { title, phase: '', text: '', cancel };
  return attempt(async () => {
    try {
      await does(tell, ending.signal);
    } finally {
      running.value = null;
    }
  });
}

// Asks at that address how far it is, until `done` is.
async function watch(path, query, tell, done) {
  const timer = setInterval(async () => {
    try {
      tell((await admin('GET', path, { query })).value.part ?? undefined);
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
    return {
      write: (piece) => parts.push(piece),
      close: () => save(file, parts, 'application/octet-stream'),
      abort: () => {},
    };
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

// A file is whole or it is not there: what came of one that was given up goes.
export async function dump(name, format) {
  let target;
  try {
    target = await targetOf(`${name}.${format === 'json' ? 'json' : 'hearth'}`);
  } catch (error) {
    if (error.name === 'AbortError') return undefined;
    throw error;
  }
  return run(`Dump of ${name}`, async (tell, signal) => {
    const asked = `console-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
    const done = (async () => {
      const query = { ns: name, format, name: asked };
      const answer = await request('GET', '/.settings/dump', { query, own: true, signal });
      if (!answer.ok) throw new Error(`The server refused: ${(await answer.text()).slice(0, 300)}`);
      return receive(answer, target, (size) => signal.aborted || tell({ text: `${bytes(size)} so far` }));
    })();
    try {
      const size = await watch('/.settings/dump.json', { name: asked }, (part) => tell({ part }), done);
      say(`Dumped ${name}: ${bytes(size)}.`);
    } catch (error) {
      await target.abort();
      if (!signal.aborted) throw error;
      say(`Gave the dump of ${name} up.`);
    }
  });
}

// In two phases: the file is sent, and then the server reads and checks it, and puts it in place in one moment. Whoever cancels
// after that moment is told that it is restored.
export const restore = (name, file, replace) =>
  run(`Restore of ${file.name} into ${name}`, async (tell, signal) => {
    const path = '/.settings/restore.json';
    const { upload } = (await admin('POST', path)).value;
    const giveUp = () => attempt(() => admin('DELETE', path, { query: { upload } }));
    signal.addEventListener('abort', giveUp);
    try {
      for (let at = 0; at < file.size; at += kPiece) {
        signal.throwIfAborted();
        tell({ phase: '1 of 2: sent', text: `${bytes(at)} of ${bytes(file.size)}`, part: at / file.size });
        const body = await file.slice(at, at + kPiece).arrayBuffer();
        await admin('PUT', path, { query: { upload, at }, body, signal });
      }
      signal.throwIfAborted();
      tell({ phase: '2 of 2: restored', text: `of ${bytes(file.size)}`, part: undefined });
      const query = { upload, ns: name };
      if (replace) query.replace = 'true';
      const { value } = await watch(path, { upload }, (part) => tell({ part }), admin('POST', path, { query }));
      say(`Restored ${value.restored.map((one) => `${one.ns}${one.path}`).join(', ')}.`);
    } catch (error) {
      if (!signal.aborted) throw error;
      say(`Gave the restore of ${file.name} up; nothing is changed.`);
    }
  });

// A collection of TanStack DB on a list in Hearth: rows come by an event stream, writes go by REST.
//
//   insert ─▶ shown under a temporary id ─▶ POST ─┬─ {name} ─▶ the stream has told of that row ─▶ shown under its own id
//                                                 └─ refused ─▶ no longer shown
//
// Stream and POST are two connections, so the answer may come before the event. A write therefore ends when the stream has
// told of it: TanStack DB then drops what it showed meanwhile, and shows what came, in one step.
import { createCollection } from '@tanstack/db';

// `list`: its URL, 'http://127.0.0.1:9000/todos.json?ns=default'. Rows are {id, text, done}.
export function todosAt(list) {
  const url = (path = '') => list.replace(/(?=\.json)/, path);
  const rows = new Map(); // as the stream has told
  const waiting = new Set(); // {holds, resolve}

  // Waits until `holds()`, which is asked again after each event.
  const until = (holds) => new Promise((resolve) => (holds() ? resolve() : waiting.add({ holds, resolve })));

  const send = async (method, path, value) => {
    const answer = await fetch(url(path), { method, body: JSON.stringify(value) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    return told;
  };

  function sync({ begin, write, commit, truncate, markReady }) {
    const closing = new AbortController();

    // What the event says of one row: all of it, a member of it, or that it is gone.
    const change = (path, value) => {
      const [id, member] = path.split('/');
      const was = rows.get(id);
      let now = value && { ...value, id };
      if (member) {
        now = { ...was, id, [member]: value };
        if (value === null) delete now[member];
      }
      if (now) rows.set(id, now);
      else rows.delete(id);
      if (now) write({ type: was ? 'update' : 'insert', value: now });
      else if (was) write({ type: 'delete', key: id });
    };
    const hear = (event, { path, data }) => {
      begin();
      const at = path.slice(1);
      if (event === 'put' && at === '') {
        truncate();
        rows.clear();
        for (const [id, row] of Object.entries(data ?? {})) change(id, row);
      } else if (event === 'put') {
        change(at, data);
      } else {
        for (const [name, value] of Object.entries(data)) change(at ? `${at}/${name}` : name, value);
      }
      commit();
      markReady();
      for (const one of waiting) {
        if (one.holds()) waiting.delete(one) && one.resolve();
      }
    };
    const listen = async () => {
      const answer = await fetch(list, { headers: { accept: 'text/event-stream' }, signal: closing.signal });
      let text = '';
      for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
        const events = (text + piece).split('\n\n');
        text = events.pop();
        for (const one of events) {
          const [, event, data] = /^event: (.*)\ndata: (.*)$/m.exec(one) ?? [];
          if (event === 'put' || event === 'patch') hear(event, JSON.parse(data));
        }
      }
    };
    // The first event of a stream is the whole list, so whoever comes back has missed nothing.
    const forever = async () => {
      while (!closing.signal.aborted) {
        await listen().catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    };
    forever();
    return () => closing.abort();
  }

  return createCollection({
    id: list,
    getKey: ({ id }) => id,
    sync: { sync },
    onInsert: async ({ transaction }) => {
      for (const { modified } of transaction.mutations) {
        const { id: _temporary, ...row } = modified;
        const { name } = await send('POST', '', row);
        await until(() => rows.has(name));
      }
    },
    onUpdate: async ({ transaction }) => {
      for (const { key, changes } of transaction.mutations) {
        await send('PATCH', `/${key}`, changes);
        await until(() => Object.entries(changes).every(([name, value]) => rows.get(key)?.[name] === value));
      }
    },
    onDelete: async ({ transaction }) => {
      for (const { key } of transaction.mutations) {
        await send('DELETE', `/${key}`);
        await until(() => !rows.has(key));
      }
    },
  });
}

// An id until the server has given one. A row that has such an id cannot be changed yet.
export const temporaryId = () => `temporary ${crypto.randomUUID()}`;
export const isTemporary = ({ id }) => id.startsWith('temporary ');

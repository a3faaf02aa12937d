// The collection of todos.js by the Supabase client: rows come by postgres_changes, writes go by its table API. The rest is
// the same.
//
//   SUBSCRIBED ─▶ select ─▶ the list; what changed meanwhile has been kept back, and is told after it
//   insert ─▶ shown under a temporary id ─▶ insert().select() ─┬─ the row; its event came before ─▶ shown under its own id
//                                                              └─ refused ─▶ no longer shown
//
// Hearth tells a change before it answers the write. The two come by different connections all the same, so a write ends when
// the channel has told of it.
import { createCollection } from '@tanstack/db';

// `client`: of createClient. Rows are {id, text, done}.
export function todosOf(client) {
  const rows = new Map(); // as the channel has told
  const waiting = new Set(); // {holds, resolve}
  const until = (holds) => new Promise((resolve) => (holds() ? resolve() : waiting.add({ holds, resolve })));
  const table = () => client.from('todos');
  const taken = ({ data, error }) => {
    if (error) throw new Error(error.message);
    return data;
  };

  function sync({ begin, write, commit, truncate, markReady }) {
    let early = []; // events that came before the list; null: it is there
    const change = (id, row) => {
      const was = rows.has(id);
      if (row) rows.set(id, row);
      else rows.delete(id);
      if (row) write({ type: was ? 'update' : 'insert', value: row });
      else if (was) write({ type: 'delete', key: id });
    };
    const told = () => {
      commit();
      markReady();
      for (const one of waiting) {
        if (one.holds()) waiting.delete(one) && one.resolve();
      }
    };
    const hear = (event) => {
      if (early) return void early.push(event);
      begin();
      change((event.eventType === 'DELETE' ? event.old : event.new).id, event.eventType === 'DELETE' ? null : event.new);
      told();
    };
    const channel = client.channel('todos').on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, hear);
    // It is called again after each reconnect: whatever was missed is in the list that is read then.
    channel.subscribe(async (status) => {
      if (status !== 'SUBSCRIBED') return;
      early = [];
      const list = taken(await table().select());
      begin();
      truncate();
      rows.clear();
      for (const row of list) change(row.id, row);
      told();
      const events = early;
      early = null;
      events.forEach(hear);
    });
    return () => client.removeChannel(channel);
  }

  return createCollection({
    id: 'todos by Supabase',
    getKey: ({ id }) => id,
    sync: { sync },
    onInsert: async ({ transaction }) => {
      for (const { modified } of transaction.mutations) {
        const { id: _temporary, ...row } = modified;
        const { id } = taken(await table().insert(row).select().single());
        await until(() => rows.has(id));
      }
    },
    onUpdate: async ({ transaction }) => {
      for (const { key, changes } of transaction.mutations) {
        taken(await table().update(changes).eq('id', key).select().single());
        await until(() => Object.entries(changes).every(([name, value]) => rows.get(key)?.[name] === value));
      }
    },
    onDelete: async ({ transaction }) => {
      for (const { key } of transaction.mutations) {
        taken(await table().delete().eq('id', key));
        await until(() => !rows.has(key));
      }
    },
  });
}

// One tree, three clients: todos by the Firebase SDK, their changes by Supabase's client, notes by Yjs.
import { createClient } from '@supabase/supabase-js';
import { initializeApp } from 'firebase/app';
import { getDatabase, onValue, push, ref, update } from 'firebase/database';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

const find = (selector) => document.querySelector(selector);
const line = (text) => Object.assign(document.createElement('li'), { textContent: text });

// ---- Firebase: the list as it is ----

const database = getDatabase(initializeApp({ databaseURL: 'http://127.0.0.1:9000?ns=three' }));

onValue(ref(database, 'todos'), (todos) => {
  find('#todos').replaceChildren();
  todos.forEach((todo) => {
    find('#todos').append(line(todo.val().text));
  });
});

const report = (written) => {
  find('#problem').textContent = '';
  written.catch((error) => (find('#problem').textContent = `Not written: ${error.message}`));
};
find('#form').onsubmit = (event) => {
  event.preventDefault();
  report(push(ref(database, 'todos'), { text: find('#text').value }));
  find('#text').value = '';
};
// A document is removed with what is above it, in the same commit.
find('#clear').onclick = () => report(update(ref(database), { todos: null, notes: null }));

// ---- Supabase: what happens to its rows ----

const supabase = createClient('http://127.0.0.1:9000/ns/three', 'any-key-in-development');

supabase
  .channel('todos')
  .on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, ({ eventType, new: now, old }) => {
    find('#changes').append(line(`${eventType} ${now.text ?? old.text}`));
  })
  .subscribe((status) => (find('#supabase').textContent = status));

// ---- Yjs: a text that many write at once ----

function openNotes() {
  const document = new Y.Doc();
  const text = document.getText('text');
  const provider = new WebsocketProvider('ws://127.0.0.1:9000/ns/three/yjs', 'notes/today', document);
  const area = find('#notes');

  area.value = '';
  area.oninput = () => {
    const [old, now] = [[...text.toString()], [...area.value]]; // characters, so that no pair of units is cut
    const least = Math.min(old.length, now.length);
    let start = 0;
    while (start < least && old[start] === now[start]) ++start;
    let end = 0;
    while (end < least - start && old.at(-1 - end) === now.at(-1 - end)) ++end;
    const at = old.slice(0, start).join('').length;
    document.transact(() => {
      text.delete(at, old.slice(start, old.length - end).join('').length);
      text.insert(at, now.slice(start, now.length - end).join(''));
    });
  };
  text.observe((_event, transaction) => {
    if (transaction.local) return;
    const caret = area.selectionStart; // real editors have bindings that move it with the text
    area.value = text.toString();
    area.setSelectionRange(caret, caret);
  });
  provider.on('sync', (isSynced) => (find('#yjs').textContent = isSynced ? 'synced' : 'connecting'));
  // The server removed the document, and says so for good. What this tab still has of it must go too: connecting again with
  // it would bring all of it back.
  provider.on('closed', ({ code }) => {
    provider.destroy();
    document.destroy();
    if (code === 4404) openNotes();
    else find('#yjs').textContent = `closed: ${code}`;
  });
}
openNotes();

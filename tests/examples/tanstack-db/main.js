// Adds a todo, marks it as done, and tries one that is too long. Prints the list as an app would show it.
import { isTemporary, temporaryId, todosAt } from './todos.js';

const todos = todosAt(process.env.LIST ?? 'http://127.0.0.1:9000/todos.json?ns=todos');
await todos.preload();
todos.subscribeChanges(() => {
  console.log(todos.toArray.map((row) => `${row.done ? '[x]' : '[ ]'} ${row.text}${isTemporary(row) ? ' …' : ''}`).join(', ') || '(empty)');
});

const insert = (text) => todos.insert({ id: temporaryId(), text, done: false }).isPersisted.promise;
await insert('tea');
const { id } = todos.toArray.find(({ text }) => text === 'tea');
await todos.update(id, (row) => void (row.done = true)).isPersisted.promise;
await insert('longer than forty characters, which the rules refuse').catch(({ message }) => console.log(`not saved: ${message}`));
await todos.delete(id).isPersisted.promise;
process.exit();

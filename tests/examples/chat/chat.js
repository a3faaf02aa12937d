// A chat room: the last 50 messages, the newest last, and a field to say something.
import { initializeApp } from 'https://www.gstatic.com/firebasejs/12.19.0/firebase-app.js';
import {
  connectDatabaseEmulator, getDatabase, limitToLast, onValue, push, query, ref, serverTimestamp,
} from 'https://www.gstatic.com/firebasejs/12.19.0/firebase-database.js';

const list = document.querySelector('#messages');
const field = document.querySelector('#text');
const problem = document.querySelector('#problem');

const name = new URLSearchParams(location.search).get('name') || prompt('What is your name?') || 'guest';

const database = getDatabase(initializeApp({ databaseURL: 'http://127.0.0.1:9000?ns=chat' }));
// A development server believes the name. With users that sign in, this line goes.
connectDatabaseEmulator(database, '127.0.0.1', 9000, { mockUserToken: { sub: name } });

const messages = ref(database, 'messages');

// A pushed key sorts behind all earlier ones, so the children come in the order in which they were said.
onValue(
  query(messages, limitToLast(50)),
  (snapshot) => {
    list.replaceChildren();
    snapshot.forEach((message) => {
      const line = document.createElement('li');
      line.textContent = `${message.val().by}: ${message.val().text}`;
      list.append(line);
    });
    list.lastChild?.scrollIntoView();
  },
  (error) => (problem.textContent = `Cannot read: ${error.message}`),
);

// The own message is in the list at once. When the rules refuse the message, the SDK takes it out again.
document.querySelector('#form').onsubmit = async (event) => {
  event.preventDefault();
  const text = field.value;
  field.value = '';
  problem.textContent = '';
  try {
    await push(messages, { by: name, text, sent: serverTimestamp() });
  } catch (error) {
    problem.textContent = `Not sent: ${error.message}`;
    field.value ||= text;
  }
};

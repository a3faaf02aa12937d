// Who is here: each tab of a person is one child of people/NAME/connections. The server removes it when the tab is gone.
import { initializeApp } from 'https://www.gstatic.com/firebasejs/12.19.0/firebase-app.js';
import {
  connectDatabaseEmulator, getDatabase, onDisconnect, onValue, push, ref, serverTimestamp, set,
} from 'https://www.gstatic.com/firebasejs/12.19.0/firebase-database.js';

const state = document.querySelector('#state');
const list = document.querySelector('#people');

const name = new URLSearchParams(location.search).get('name') || prompt('What is your name?') || 'guest';
const uid = encodeURIComponent(name).replaceAll('.', '%2E'); // a key has none of . $ # [ ] /

const database = getDatabase(initializeApp({ databaseURL: 'http://127.0.0.1:9000?ns=presence' }));
// A development server believes the name. With users that sign in, this line goes.
connectDatabaseEmulator(database, '127.0.0.1', 9000, { mockUserToken: { sub: uid } });

// .info/connected is told anew after each lost connection. What was queued for the end of the old connection has then
// been written.
onValue(ref(database, '.info/connected'), async (connected) => {
  state.textContent = connected.val() ? `you are ${name}` : 'connecting';
  if (!connected.val()) return;
  const connection = push(ref(database, `people/${uid}/connections`));
  const lastSeen = ref(database, `people/${uid}/lastSeen`);
  // The end is queued first: a connection that breaks in between leaves nobody behind as online.
  await Promise.all([onDisconnect(connection).remove(), onDisconnect(lastSeen).set(serverTimestamp())]);
  await set(connection, serverTimestamp());
});

onValue(
  ref(database, 'people'),
  (people) => {
    list.replaceChildren();
    people.forEach((person) => {
      const { connections, lastSeen } = person.val();
      const line = document.createElement('li');
      line.className = connections ? 'online' : 'offline';
      const seen = connections ? '' : `, last seen ${new Date(lastSeen).toLocaleTimeString()}`;
      line.textContent = `${decodeURIComponent(person.key)}${seen}`;
      list.append(line);
    });
  },
  (error) => (state.textContent = error.message),
);

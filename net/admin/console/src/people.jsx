// The page "People": who is connected, what they listen to, and what is written when they go.
import { useState } from 'preact/hooks';
import { admin, namespace } from './api.js';
import { parsePath } from './path.js';
import { usePolled } from './poll.js';
import { attempt, cluster, hrefOf, isAdmin, say, session } from './state.js';
import { age, Button, bytes, count, few, Field, ForAdmins, moment, Table, Tile, Trouble } from './ui.jsx';

const kShown = 500; // connections
const kEvery = 3_000;

// Who that is, in words.
export const nameOf = ({ user, admin: isRoot, protocol }) =>
  user ?? (isRoot ? 'an admin' : protocol === null ? '–' : 'signed out');

const protocols = { firebase: 'Firebase', supabase: 'Supabase', yjs: 'Yjs', rest: 'REST' };
export const protocolOf = ({ protocol }) => protocols[protocol] ?? protocol ?? '';

// `space`: of which the list was. In a cluster that is the list of the node that owns it, and numbers are each node's own.
const cut = (number, space) =>
  attempt(async () => {
    const { value: done } = await admin('POST', '/.settings/cut.json', {
      query: { ns: space },
      body: JSON.stringify({ connection: number }),
    });
    say(done.cut ? `Cut connection ${number}.` : `Connection ${number} was gone already.`);
  });

function Connections({ yours, connections, isAll, setAll }) {
  const rows = [...connections].sort((a, b) => b.waiting - a.waiting || a.number - b.number).slice(0, kShown);
  const heads = ['Number', 'Who', 'By', 'Address', '#For', '#Listens', '#When it goes', '#Waiting to be sent', ''];
  return (
    <div class="card">
      <div class="bar">
        <h2>
          Connections
          <small>
            {isAll ? (cluster.value ? ' of this node' : ' of the whole server') : ` in ${namespace.value}`}
            {connections.length > rows.length ? `, ${rows.length} of ${count(connections.length)}` : ''}
          </small>
        </h2>
        <label class="check">
          <input type="checkbox" checked={isAll} onChange={(event) => setAll(event.target.checked)} /> Of all namespaces
        </label>
      </div>
      <Table label="Connections" heads={heads}>
        {rows.map((one) => (
          <tr key={one.number}>
            <th scope="row">
              {one.number}
              {one.number === yours && <span class="badge">this page</span>}
            </th>
            <td dir="auto">{nameOf(one)}</td>
            <td>{[protocolOf(one), one.kind, one.secure && 'TLS', one.relayed && 'by another node'].filter(Boolean).join(', ')}</td>
            <td>
              <code>{one.peer}</code>
            </td>
            <td class="number" title={`since ${moment(one.since)}`}>
              {age(one.seconds)}
            </td>
            <td class="number">{count(one.listeners + one.topics)}</td>
            <td class="number">{one.queued > 0 ? few(one.queued, 'write') : '–'}</td>
            <td class="number">{bytes(one.waiting)}</td>
            <td class="actions">
              <Button kind="small" onClick={() => cut(one.number, isAll ? undefined : namespace.value)} aria-label={`Cut connection ${one.number}`}>
                Cut
              </Button>
            </td>
          </tr>
        ))}
      </Table>
    </div>
  );
}

const Place = ({ path }) => (
  <a href={hrefOf('data', parsePath(path))} dir="auto">
    {path}
  </a>
);

// One session, to be opened: its listeners, its channels, and its onDisconnect queue.
function Session({ one }) {
  const parts = [
    few(one.listenerCount, 'listener'),
    one.topicCount > 0 && few(one.topicCount, 'channel'),
    one.queuedCount > 0 && `${few(one.queuedCount, 'write')} when it goes`,
  ];
  return (
    <details>
      <summary>
        <b dir="auto">{nameOf(one)}</b>
        {protocolOf(one) === '' ? ', of the server itself' : ` by ${protocolOf(one)}`}
        {one.connection === null ? '' : `, connection ${one.connection}`}: {parts.filter(Boolean).join(', ')}
      </summary>
      {one.queued.length > 0 && (
        <>
          <h3>Written when it goes (onDisconnect)</h3>
          <ul class="plain" aria-label="Written when it goes">
            {one.queued.map((write, i) => (
              <li key={i}>
                <Place path={write.path} />{' '}
                <code dir="auto">
                  {write.value === null ? bytes(write.bytes) : write.value === 'null' ? 'removed' : write.value}
                  {write.value !== null && write.bytes > 512 ? `… (${bytes(write.bytes)})` : ''}
                </code>
              </li>
            ))}
          </ul>
        </>
      )}
      {one.listeners.length > 0 && (
        <>
          <h3>Listens to</h3>
          <ul class="plain" aria-label="Listens to">
            {one.listeners.map((listener, i) => (
              <li key={i}>
                <Place path={listener.path} /> <code dir="auto">{listener.query ?? ''}</code>
              </li>
            ))}
          </ul>
        </>
      )}
      {one.topics.length > 0 && (
        <p>
          In: <span dir="auto">{one.topics.join(', ')}</span>
        </p>
      )}
    </details>
  );
}

function Sessions({ total, sessions }) {
  return (
    <div class="card sessions">
      <h2>
        Sessions
        <small>
          {' '}
          in {namespace.value}
          {total > sessions.length ? `, ${sessions.length} of ${count(total)}` : ''}
        </small>
      </h2>
      {sessions.length === 0 && <p>Nobody is in this namespace.</p>}
      {sessions.map((one, i) => (
        <Session key={`${one.connection} ${one.since} ${one.connection === null ? i : ''}`} one={one} />
      ))}
    </div>
  );
}

function Kick() {
  const [uid, setUid] = useState('');
  const kick = (event) => {
    event.preventDefault();
    attempt(async () => {
      const { value: done } = await admin('POST', '/.settings/kick.json', {
        query: { ns: namespace.value },
        body: JSON.stringify({ uid }),
      });
      say(`Signed ${uid} out: ${few(done.kicked, 'connection')} ended.`);
      setUid('');
    });
  };
  return (
    <form class="card form" onSubmit={kick}>
      <h2>Sign a user out</h2>
      <Field label="User id">
        <input value={uid} required onInput={(event) => setUid(event.target.value)} />
      </Field>
      <button type="submit" class="button danger">
        Sign out
      </button>
      <p>All connections of that user in {namespace.value} end, and tokens from before now are refused there.</p>
    </form>
  );
}

async function people(space, isAll, signal) {
  const query = { ns: space };
  const [connected, there, listened] = await Promise.all([
    admin('GET', '/.inspect/connections.json', { query: isAll ? {} : query, signal }),
    admin('GET', '/.inspect/sessions.json', { query, signal }),
    admin('GET', '/.inspect/listeners.json', { query, signal }),
  ]);
  return { connected: connected.value, there: there.value, listened: listened.value };
}

export function PeoplePage() {
  const [isAll, setAll] = useState(false);
  const space = namespace.value;
  const ask = isAdmin.value ? (signal) => people(space, isAll, signal) : null;
  const { value: found, error } = usePolled(ask, kEvery, [space, isAll, session.value]);
  if (!isAdmin.value) return <ForAdmins what="Who is connected" />;
  return (
    <section class="page" aria-label="People">
      <Trouble text={error} isCard />
      {found !== null && (
        <>
          <div class="tiles">
            <Tile label={`Sessions in ${space}`} value={count(found.there.total)} />
            <Tile label="Paths listened to" value={count(found.listened.total)} />
            <Tile
              label="Writes for when they go"
              value={count(found.there.sessions.reduce((sum, one) => sum + one.queuedCount, 0))}
            />
          </div>
          <Connections {...found.connected} isAll={isAll} setAll={setAll} />
          <Sessions {...found.there} />
          <div class="card">
            <h2>Listened to</h2>
            {found.listened.paths.length === 0 ? (
              <p>Nobody listens in this namespace.</p>
            ) : (
              <Table label="Listened to" heads={['Path', '#Listeners', '#With a query']}>
                {found.listened.paths.map((one) => (
                  <tr key={one.path}>
                    <th scope="row">
                      <Place path={one.path} />
                    </th>
                    <td class="number">{count(one.listeners)}</td>
                    <td class="number">{count(one.queries)}</td>
                  </tr>
                ))}
              </Table>
            )}
          </div>
        </>
      )}
      <Kick />
    </section>
  );
}

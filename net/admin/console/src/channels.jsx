// The page "Channels": what is open in memory — channels of Supabase clients, rooms of Yjs documents —, who is in one, and
// what presence says of them.
import { useState } from 'preact/hooks';
import { admin, namespace } from './api.js';
import { nameOf, protocolOf } from './people.jsx';
import { usePolled } from './poll.js';
import { isAdmin, session } from './state.js';
import { bytes, Button, clock, count, Field, ForAdmins, Table, Trouble } from './ui.jsx';

const kEvery = 2_000;
const families = { channel: 'channel', document: 'Yjs document' };

// JSON as it came, or why it is not there.
const Said = ({ value, bytes: size }) =>
  value === null ? (
    <span>{bytes(size)}, binary</span>
  ) : (
    <code dir="auto" class="wrap">
      {value}
      {size > 512 ? `… (${bytes(size)})` : ''}
    </code>
  );

function Channel({ name, onClose }) {
  const space = namespace.value;
  const ask = async (signal) =>
    (await admin('GET', '/.inspect/topics.json', { query: { ns: space, topic: name }, signal })).value;
  const { value: one, error } = usePolled(ask, kEvery, [space, name, session.value]);
  return (
    <div class="card" role="region" aria-label="One channel">
      <div class="bar">
        <h2 dir="auto">{name}</h2>
        <Button kind="small" onClick={onClose}>
          Close
        </Button>
      </div>
      <Trouble text={error} />
      {one !== null && (
        <>
          <h3>Members, {count(one.members)}</h3>
          <ul class="plain" aria-label="Members">
            {one.people.map((member, i) => (
              <li key={i}>
                <b dir="auto">{nameOf(member)}</b> by {protocolOf(member)}
                {member.connection === null ? '' : `, connection ${member.connection}`}
              </li>
            ))}
          </ul>
          <h3>Presence</h3>
          {one.entries.length === 0 ? (
            <p>Nobody has said anything of themselves.</p>
          ) : (
            <Table label="Presence" heads={['Key', 'State']}>
              {one.entries.map((entry, i) => (
                <tr key={i}>
                  <th scope="row" dir="auto">
                    {entry.key}
                  </th>
                  <td>
                    <Said {...entry} />
                  </td>
                </tr>
              ))}
            </Table>
          )}
          {one.kept.length > 0 && (
            <>
              <h3>Messages that are kept</h3>
              <Table label="Messages that are kept" heads={['When', 'Event', 'What']}>
                {one.kept.map((message, i) => (
                  <tr key={i}>
                    <td class="time">{clock(message.time)}</td>
                    <td dir="auto">{message.event}</td>
                    <td>
                      <Said {...message} />
                    </td>
                  </tr>
                ))}
              </Table>
            </>
          )}
        </>
      )}
    </div>
  );
}

export function ChannelsPage() {
  const [chosen, setChosen] = useState(null);
  const [text, setText] = useState('');
  const space = namespace.value;
  const ask = isAdmin.value
    ? async (signal) => (await admin('GET', '/.inspect/topics.json', { query: { ns: space }, signal })).value
    : null;
  const { value: found, error } = usePolled(ask, kEvery, [space, session.value]);
  if (!isAdmin.value) return <ForAdmins what="What is open in channels" />;
  const shown = (found?.topics ?? []).filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
  return (
    <section class="page" aria-label="Channels">
      <div class="card">
        <div class="form">
          <h2>
            Channels <small>in {space}, open now</small>
          </h2>
          <Field label="With this text">
            <input type="search" value={text} onInput={(event) => setText(event.target.value)} />
          </Field>
        </div>
        <Trouble text={error} />
        {found !== null && found.topics.length === 0 && <p>No channel is open: nobody is in one.</p>}
        {found !== null && found.total > found.topics.length && (
          <p class="note">
            {count(found.topics.length)} of {count(found.total)}
          </p>
        )}
        {shown.length > 0 && (
          <Table label="List of channels" heads={['Name', 'Kind', '#Members', '#Presence', '#Kept', '#Memory']}>
            {shown.map((one) => (
              <tr key={`${one.family} ${one.name}`}>
                <th scope="row">
                  <button
                    type="button"
                    class="link"
                    dir="auto"
                    aria-pressed={chosen === one.name}
                    onClick={() => setChosen(one.name)}
                  >
                    {one.name}
                  </button>
                </th>
                <td>{families[one.family] ?? one.family}</td>
                <td class="number">{count(one.members)}</td>
                <td class="number">{count(one.entries)}</td>
                <td class="number">{count(one.kept)}</td>
                <td class="number">{bytes(one.bytes)}</td>
              </tr>
            ))}
          </Table>
        )}
      </div>
      {chosen !== null && <Channel key={`${space} ${chosen}`} name={chosen} onClose={() => setChosen(null)} />}
    </section>
  );
}

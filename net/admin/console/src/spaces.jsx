// The page "Namespaces": which there are, making and removing one, dumps and restores, and the settings of the one that
// is shown.
import { useEffect, useState } from 'preact/hooks';
import { admin, namespace } from './api.js';
import { parseJson } from './path.js';
import { attempt, go, isAdmin, loadSpaces, say, session, spaces } from './state.js';
import { dump, restore, running } from './transfer.js';
import { Button, Field, ForAdmins, FormDialog, Trouble } from './ui.jsx';

function RemoveSpace({ name, onClose, onDone }) {
  const [typed, setTyped] = useState('');
  const does = async () => {
    await admin('DELETE', '/.settings/namespace.json', { query: { ns: name } });
    say(`Deleted ${name}.`);
    onDone();
  };
  return (
    <FormDialog
      title={`Delete the namespace ${name}?`}
      onClose={onClose}
      does={does}
      label="Delete"
      kind="danger"
      isOff={typed !== name}
    >
      <p>All of its data, rules and settings go. A dump that was made before brings them back; nothing else does.</p>
      <Field label={`Type ${name} to go on`}>
        <input value={typed} autofocus onInput={(event) => setTyped(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

const settings = [
  ['indexes', 'Orders of several children', '[{"at": "/messages", "by": ["author/id", "sent"]}]'],
  ['history', 'What is kept of the past', '{"age": "7d", "size": "1GB", "versions": true}'],
  ['realtime', 'Channels of Supabase clients', '{"public": false, "channels": "/channels"}'],
  ['tables', 'Tables of Supabase clients', '{"orders": "/shop/orders"}'],
  ['paths', 'How long children stay, how often listeners hear', '{"rooms": {"$room": {"messages": {".ttl": 2592000}}}}'],
  ['documents', 'Where Yjs documents may be', '{"paths": ["/notes"]}'],
];

function Setting({ name, label, example }) {
  const [text, setText] = useState('');
  const [error, setError] = useState('');
  const load = async () => {
    try {
      const { value } = await admin('GET', `/.settings/${name}.json`, { query: { ns: namespace.value } });
      setText(JSON.stringify(value));
      setError('');
    } catch (failure) {
      setError(failure.message);
    }
  };
  useEffect(() => {
    load();
  }, [namespace.value]);
  const does = async (event) => {
    event.preventDefault();
    try {
      parseJson(text);
      await admin('PUT', `/.settings/${name}.json`, { query: { ns: namespace.value }, body: text });
      setError('');
      say(`Set: ${label.toLowerCase()}.`);
    } catch (failure) {
      setError(failure.message);
    }
  };
  return (
    <form class="form setting" onSubmit={does}>
      <Field
        label={label}
        hint={
          <>
            As <code>{example}</code>
          </>
        }
        wide
      >
        <input class="code" spellcheck={false} value={text} onInput={(event) => setText(event.target.value)} />
      </Field>
      <button type="submit" class="button">
        Set
      </button>
      <Trouble text={error} />
    </form>
  );
}

// The dump or restore that is under way: how far, and a way out.
function Transfer() {
  const now = running.value;
  if (now === null) return null;
  return (
    <div class="card transfer">
      <div class="bar">
        <h2>{now.title}</h2>
        <Button kind="small" onClick={now.cancel} disabled={now.cancel === null}>
          Cancel
        </Button>
      </div>
      <progress aria-label={`${now.title} ${now.phase}`} value={now.part} />
      <p>
        <span role="status">{now.phase}</span> {now.part !== undefined && <b>{Math.floor(100 * now.part)} %</b>} {now.text}
      </p>
    </div>
  );
}

export function SpacesPage() {
  const [name, setName] = useState('');
  const [gone, setGone] = useState(null);
  const [replaces, setReplaces] = useState(false);
  useEffect(() => {
    if (isAdmin.value) attempt(loadSpaces);
  }, [session.value]);
  if (!isAdmin.value) return <ForAdmins what="The list of namespaces" />;
  const isBusy = running.value !== null;
  const create = (event) => {
    event.preventDefault();
    attempt(async () => {
      const { value } = await admin('PUT', '/.settings/namespace.json', { query: { ns: name } });
      say(value.created ? `Made ${name}.` : `There is a namespace ${name} already.`);
      setName('');
      await loadSpaces();
    });
  };
  return (
    <section class="page" aria-label="Namespaces">
      <Transfer />
      <div class="card">
        <h2>Namespaces</h2>
        <div class="scroll" tabIndex={0} role="region" aria-label="Namespaces">
          <table>
            <tbody>
              {(spaces.value ?? []).map((one) => (
                <tr key={one}>
                  <th scope="row">
                    <button
                      type="button"
                      class="link"
                      onClick={() => {
                        namespace.value = one;
                        go('data', [], one);
                      }}
                    >
                      {one}
                    </button>
                    {one === namespace.value && <span class="badge">shown</span>}
                  </th>
                  <td class="actions">
                    <Button
                      kind="small"
                      onClick={() => attempt(() => dump(one, 'native'))}
                      disabled={isBusy}
                      aria-label={`Dump ${one}`}
                    >
                      Dump
                    </Button>
                    <Button
                      kind="small"
                      onClick={() => attempt(() => dump(one, 'json'))}
                      disabled={isBusy}
                      aria-label={`Dump ${one} as JSON`}
                    >
                      as JSON
                    </Button>
                    <Button kind="small danger" onClick={() => setGone(one)} aria-label={`Delete ${one}`}>
                      Delete
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <form class="form" onSubmit={create}>
          <Field label="A new namespace">
            <input value={name} required pattern="[A-Za-z0-9_\-]+" onInput={(event) => setName(event.target.value)} />
          </Field>
          <button type="submit" class="button main">
            Make it
          </button>
        </form>
      </div>
      <div class="card form">
        <h2>Restore into {namespace.value}</h2>
        <Field label="A dump, or JSON">
          <input
            type="file"
            disabled={isBusy}
            onChange={(event) => {
              const file = event.target.files[0];
              event.target.value = '';
              if (file) restore(namespace.value, file, replaces);
            }}
          />
        </Field>
        <label class="check">
          <input type="checkbox" checked={replaces} onChange={(event) => setReplaces(event.target.checked)} /> Replace
          what is there
        </label>
      </div>
      <div class="card">
        <h2>Settings of {namespace.value}</h2>
        {settings.map(([one, label, example]) => (
          <Setting key={one} name={one} label={label} example={example} />
        ))}
      </div>
      {gone !== null && <RemoveSpace name={gone} onClose={() => setGone(null)} onDone={() => attempt(loadSpaces)} />}
    </section>
  );
}

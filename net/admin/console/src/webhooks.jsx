// The page "Webhooks": where changes are sent, how far each webhook has come, and what could not be delivered.
import { useState } from 'preact/hooks';
import { admin, namespace } from './api.js';
import { DeadLetters } from './dead_letters.jsx';
import { parsePath, textOf } from './path.js';
import { usePolled } from './poll.js';
import { attempt, hrefOf, isAdmin, path, say, session } from './state.js';
import { age, Button, count, Dialog, Field, ForAdmins, FormDialog, moment, Snippet, Table, Tile, Trouble } from './ui.jsx';
import { ask, outcome } from './webhooks.js';

const kEvery = 2_000;

const stateOf = { delivering: 'good', failing: 'bad', 'held up': 'bad', off: 'bad', paused: '' };

// A secret, which the server tells once and never again.
function Secret({ url, secret, onClose }) {
  return (
    <Dialog title="The webhook’s secret" onClose={onClose}>
      <p>
        The receiver <span dir="auto">{url}</span> verifies messages with it. It is shown now, and never again.
      </p>
      <div>
        <Snippet label="Secret" text={secret} />
      </div>
      <footer>
        <Button kind="main" onClick={onClose} autofocus>
          I have it
        </Button>
      </footer>
    </Dialog>
  );
}

function Add({ onAdded }) {
  const [url, setUrl] = useState('');
  const [where, setWhere] = useState(textOf(path.value));
  const [isWithBefore, setWithBefore] = useState(false);
  const [isFromLog, setFromLog] = useState(false);
  const [error, setError] = useState('');
  const submit = async (event) => {
    event.preventDefault();
    setError('');
    const body = { url: url.trim(), path: textOf(parsePath(where)) };
    if (isWithBefore) body.before = true;
    if (isFromLog) body.since = '0';
    try {
      onAdded(await ask('', body));
      setUrl('');
    } catch (failure) {
      setError(failure.message);
    }
  };
  return (
    <form class="card form" onSubmit={submit}>
      <h2>A new webhook</h2>
      <Field label="Sends to" wide>
        <input
          class="code"
          value={url}
          required
          placeholder="https://hooks.example.com/orders"
          spellcheck={false}
          onInput={(event) => setUrl(event.target.value)}
        />
      </Field>
      <Field label="What changes at or below">
        <input class="code" value={where} spellcheck={false} onInput={(event) => setWhere(event.target.value)} />
      </Field>
      <label class="check">
        <input type="checkbox" checked={isWithBefore} onChange={(event) => setWithBefore(event.target.checked)} /> With
        what stood there before
      </label>
      <label class="check">
        <input type="checkbox" checked={isFromLog} onChange={(event) => setFromLog(event.target.checked)} /> Also what
        the log still has
      </label>
      <button type="submit" class="button main">
        Add it
      </button>
      <Trouble text={error} />
    </form>
  );
}

function Remove({ hook, onClose, onDone }) {
  const does = async () => {
    await ask('/remove', { id: hook.id });
    say(`Removed the webhook ${hook.id}.`);
    onDone();
  };
  return (
    <FormDialog title={`Remove the webhook ${hook.id}?`} onClose={onClose} does={does} label="Remove" kind="danger">
      <p>
        Nothing more is sent to <span dir="auto">{hook.url}</span>
        {hook.dead > 0 ? `, and its ${count(hook.dead)} dead letters go` : ''}. Its secret cannot be had again.
      </p>
    </FormDialog>
  );
}

function Hook({ hook, isOpen, act }) {
  const named = (word) => `${word} ${hook.id}`;
  return (
    <tr>
      <th scope="row">
        <span dir="auto">{hook.url}</span>
        <small class="under">
          <code>{hook.id}</code> for{' '}
          <a dir="auto" href={hrefOf('data', parsePath(hook.path))}>
            {hook.path}
          </a>
        </small>
      </th>
      <td>
        <span class={`badge ${stateOf[hook.state] ?? ''}`}>{hook.state}</span>
        <small class="under">
          {hook.why ?? ''} {hook.behind > 0 ? `${age(hook.behind / 1000)} behind` : ''}
        </small>
      </td>
      <td class="number">{count(hook.delivered)}</td>
      <td>
        <span dir="auto">{hook.status ?? '–'}</span>
        <small class="under">{hook.answered === undefined ? '' : moment(hook.answered)}</small>
      </td>
      <td class="number">
        {hook.dead > 0 ? (
          <button type="button" class="link" aria-expanded={isOpen} aria-label={named(`${count(hook.dead)} dead letters of`)} onClick={act.open}>
            {count(hook.dead)}
          </button>
        ) : (
          '0'
        )}
      </td>
      <td class="actions">
        <Button kind="small" onClick={act.test} aria-label={named('Test')}>
          Test
        </Button>
        {hook.state === 'paused' ? (
          <Button kind="small" onClick={act.resume} aria-label={named('Resume')}>
            Resume
          </Button>
        ) : (
          <Button kind="small" onClick={act.pause} aria-label={named('Pause')}>
            Pause
          </Button>
        )}
        <Button kind="small" onClick={act.rotate} aria-label={named('New secret for')}>
          New secret
        </Button>
        <Button kind="small danger" onClick={act.remove} aria-label={named('Remove')}>
          Remove
        </Button>
      </td>
    </tr>
  );
}

function Hooks({ hooks, again, show }) {
  const [opened, setOpened] = useState(null);
  const does = (action, hook, then) => () =>
    attempt(async () => {
      then(await ask(`/${action}`, { id: hook.id }));
      again();
    });
  const actsOf = (hook) => ({
    open: () => setOpened(opened === hook.id ? null : hook.id),
    test: does('test', hook, (sent) => say(`Sent a test: ${outcome(sent)}.`, { isBad: !sent.taken })),
    pause: does('pause', hook, () => say(`Paused ${hook.id}. What changes meanwhile is sent later.`)),
    resume: does('resume', hook, () => say(`${hook.id} goes on.`)),
    rotate: does('rotate', hook, ({ secret }) => show({ is: 'secret', url: hook.url, secret })),
    remove: () => show({ is: 'remove', hook }),
  });
  const open = hooks.find((hook) => hook.id === opened && hook.dead > 0);
  return (
    <div class="card">
      <h2>
        Webhooks <small>of {namespace.value}</small>
      </h2>
      {hooks.length === 0 ? (
        <p>There is none: changes of this namespace are sent nowhere.</p>
      ) : (
        <Table label="List of webhooks" heads={['Sends to', 'State', '#Delivered', 'Last answer', '#Dead letters', '']}>
          {hooks.map((hook) => (
            <Hook key={hook.id} hook={hook} isOpen={opened === hook.id} act={actsOf(hook)} />
          ))}
        </Table>
      )}
      {open !== undefined && <DeadLetters key={open.id} hook={open} onChange={again} />}
    </div>
  );
}

export function WebhooksPage() {
  const [dialog, setDialog] = useState(null);
  const space = namespace.value;
  const look = isAdmin.value
    ? async (signal) => (await admin('GET', '/.webhooks.json', { query: { ns: space }, signal })).value
    : null;
  const { value: hooks, error, again } = usePolled(look, kEvery, [space, session.value]);
  if (!isAdmin.value) return <ForAdmins what="The page of webhooks" />;
  const all = hooks ?? [];
  const sum = (name) => all.reduce((total, hook) => total + hook[name], 0);
  return (
    <section class="page" aria-label="Webhooks">
      <Trouble text={error} isCard />
      {all.length > 0 && (
        <div class="tiles">
          <Tile label="Webhooks" value={count(all.length)} />
          <Tile label="Delivered" value={count(sum('delivered'))} />
          <Tile label="Dead letters" value={count(sum('dead'))} kind={sum('dead') > 0 ? 'bad' : ''} />
        </div>
      )}
      {hooks !== null && <Hooks hooks={hooks} again={again} show={setDialog} />}
      <Add
        onAdded={({ url, secret }) => {
          setDialog({ is: 'secret', url, secret });
          again();
        }}
      />
      {dialog?.is === 'secret' && <Secret {...dialog} onClose={() => setDialog(null)} />}
      {dialog?.is === 'remove' && <Remove hook={dialog.hook} onClose={() => setDialog(null)} onDone={again} />}
    </section>
  );
}

// The frame around the pages: where one is, which namespace, as whom, light or dark; and the sign-in.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import 'uplot/dist/uPlot.min.css';
import './style.css';
import './parts.css';
import './pages.css';
import './small.css';
import './lists.css';
import { credential, isReachable, namespace, viewAs } from './api.js';
import { about, attempt, begin, cluster, go, hrefOf, isAdmin, page, session, signIn, signOut, spaces, theme } from './state.js';
import { parseJson } from './path.js';
import { TreePage } from './tree.jsx';
import { Button, Dialog, Field, Flame, Icon, IconButton, Sayings, Trouble } from './ui.jsx';

// A page whose code comes when somebody opens it, so that the tree is there sooner.
function later(name) {
  let Page;
  return function Later() {
    const [, setThere] = useState(false);
    useEffect(() => {
      if (Page !== undefined) return;
      attempt(async () => {
        Page = (await import('./pages.jsx'))[name];
        setThere(true);
      });
    }, []);
    return Page === undefined ? <section class="page" aria-busy="true" /> : <Page />;
  };
}

const parts = [
  ['data', 'Data', TreePage],
  ['query', 'Query', later('QueryPage')],
  ['rules', 'Rules', later('RulesPage')],
  ['history', 'History', later('HistoryPage')],
  ['activity', 'Activity', later('ActivityPage')],
  ['people', 'People', later('PeoplePage')],
  ['channels', 'Channels', later('ChannelsPage')],
  ['documents', 'Documents', later('DocumentsPage')],
  ['webhooks', 'Webhooks', later('WebhooksPage')],
  ['health', 'Health', later('HealthPage')],
  ['spaces', 'Namespaces', later('SpacesPage')],
  ['cluster', 'Cluster', later('ClusterPage')],
];

const isNarrow = matchMedia('(max-width: 700px)'); // the list of pages is then a row that scrolls (lists.css)

function ThemeButton() {
  const next = { auto: 'light', light: 'dark', dark: 'auto' };
  const icon = { auto: 'auto', light: 'sun', dark: 'moon' }[theme.value];
  const words = { auto: 'as the system', light: 'light', dark: 'dark' };
  return (
    <IconButton
      icon={icon}
      label={`Colours: ${words[theme.value]}. Change to ${words[next[theme.value]]}`}
      onClick={() => {
        theme.value = next[theme.value];
      }}
    />
  );
}

function SignIn() {
  const [token, setToken] = useState('');
  const [space, setSpace] = useState(namespace.value || about.value.namespace);
  const [isKept, setKept] = useState(false);
  const [error, setError] = useState('');
  const submit = async (event) => {
    event.preventDefault();
    setError('');
    try {
      await signIn(token.trim(), isKept, space.trim());
    } catch (failure) {
      const isNoToken = /parse auth token/i.test(failure.message);
      setError(isNoToken ? 'That is neither the admin secret of this server nor a token.' : failure.message);
    }
  };
  return (
    <main class="sign-in">
      <form class="card" onSubmit={submit}>
        <Flame />
        <h1>Hearth</h1>
        <p>
          Sign in with the admin secret, which is in the file <code>admin-secret</code> of the server’s data folder, or
          with a user’s token.
        </p>
        <Field label="Admin secret or token">
          <input
            type="password"
            value={token}
            autocomplete="off"
            required
            autofocus
            onInput={(event) => setToken(event.target.value)}
          />
        </Field>
        <Field label="Namespace" hint="A user has to name one; an admin may.">
          <input value={space} spellcheck={false} onInput={(event) => setSpace(event.target.value)} />
        </Field>
        <label class="check">
          <input type="checkbox" checked={isKept} onChange={(event) => setKept(event.target.checked)} /> Keep it until
          this tab is closed
        </label>
        <Trouble text={error} />
        <button type="submit" class="button main">
          Sign in
        </button>
        <small>It stays in this tab’s memory and goes nowhere but to this server.</small>
      </form>
      <ThemeButton />
    </main>
  );
}

function AsWhom({ onClose }) {
  const now = viewAs.value;
  const [who, setWho] = useState(
    now === null ? 'self' : now.auth === null ? 'out' : Object.keys(now.auth).length === 1 ? 'user' : 'whole',
  );
  const [uid, setUid] = useState(now?.auth?.uid ?? '');
  const [whole, setWhole] = useState(now?.auth ? JSON.stringify(now.auth) : '{"uid": "ada", "token": {}}');
  const [error, setError] = useState('');
  const submit = (event) => {
    event.preventDefault();
    try {
      viewAs.value =
        who === 'self' ? null : { auth: who === 'out' ? null : who === 'user' ? { uid } : parseJson(whole) };
      onClose();
    } catch (failure) {
      setError(failure.message);
    }
  };
  return (
    <Dialog title="See and change data as…" onClose={onClose}>
      <form onSubmit={submit}>
        <p>Everything on the pages “Data” and “Query” is then judged by the rules, as if they had asked.</p>
        <fieldset class="choices">
          <legend>As whom</legend>
          {[
            ['self', 'An admin: rules are not asked'],
            ['out', 'Somebody who is signed out'],
            ['user', 'A user'],
            ['whole', 'A whole auth variable'],
          ].map(([name, label]) => (
            <label key={name}>
              <input type="radio" name="who" checked={who === name} onChange={() => setWho(name)} /> {label}
            </label>
          ))}
        </fieldset>
        {who === 'user' && (
          <Field label="User id">
            <input value={uid} required autofocus onInput={(event) => setUid(event.target.value)} />
          </Field>
        )}
        {who === 'whole' && (
          <Field label="auth">
            <textarea class="code" rows={4} value={whole} onInput={(event) => setWhole(event.target.value)} />
          </Field>
        )}
        <Trouble text={error} />
        <footer>
          <Button onClick={onClose}>Cancel</Button>
          <button type="submit" class="button main">
            See it
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function SpaceChoice() {
  const known = spaces.value;
  const choose = (name) => go(page.value, [], name);
  if (known === null) {
    return (
      <form
        onSubmit={(event) => {
          event.preventDefault();
          choose(event.target.elements.ns.value.trim());
        }}
      >
        <input
          name="ns"
          aria-label="Namespace"
          key={namespace.value}
          defaultValue={namespace.value}
          spellcheck={false}
        />
      </form>
    );
  }
  const all = known.includes(namespace.value) || namespace.value === '' ? known : [...known, namespace.value];
  return (
    <select aria-label="Namespace" value={namespace.value} onChange={(event) => choose(event.target.value)}>
      {all.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

function Frame() {
  const [isAsking, setAsking] = useState(false);
  const [, , Page] = parts.find(([name]) => name === page.value);
  const label = parts.find(([name]) => name === page.value)[1];
  useEffect(() => {
    document.title = `${label} · ${namespace.value || 'Hearth'}`;
  }, [label, namespace.value]);
  useEffect(() => {
    if (!isNarrow.matches) return;
    document.querySelector('.rail [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [label, cluster.value]);
  const who =
    viewAs.value === null
      ? null
      : viewAs.value.auth === null
        ? 'somebody signed out'
        : (viewAs.value.auth.uid ?? 'a user');
  return (
    <div class="frame">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('main').focus();
        }}
      >
        To the content
      </a>
      <header class="top">
        <a class="brand" href={hrefOf('data', [])} aria-label="Hearth, to the data">
          <Flame />
          <b>Hearth</b>
        </a>
        <SpaceChoice />
        <span class="fill" />
        {!isReachable.value && (
          <span class="badge bad" role="status">
            cannot be reached
          </span>
        )}
        {isAdmin.value && (
          <Button kind="small" onClick={() => setAsking(true)}>
            <Icon name="eye" /> {who === null ? 'as admin' : `as ${who}`}
          </Button>
        )}
        <ThemeButton />
        {!(about.value.dev && credential.value === 'owner') && (
          <IconButton
            icon="out"
            label="Sign out"
            onClick={signOut}
          />
        )}
      </header>
      <nav class="rail" aria-label="Pages">
        {parts.filter(([name]) => name !== 'cluster' || cluster.value).map(([name, title]) => (
          <a key={name} href={hrefOf(name)} aria-current={name === page.value ? 'page' : undefined}>
            <Icon name={name} />
            <span>{title}</span>
          </a>
        ))}
        <small>
          {about.value.dev ? 'development' : ''} {about.value.version}
        </small>
      </nav>
      <main id="main" tabIndex={-1}>
        {who !== null && (
          <p class="strip">
            You see what <b>{who}</b> may see, and do what they may do.{' '}
            <button
              type="button"
              class="link"
              onClick={() => {
                viewAs.value = null;
              }}
            >
              Be yourself again
            </button>
          </p>
        )}
        {namespace.value === '' ? (
          <section class="page">
            <div class="empty">
              <h2>No namespace yet</h2>
              <p>
                {isAdmin.value ? (
                  <>
                    Make one on the page <a href={hrefOf('spaces')}>Namespaces</a>.
                  </>
                ) : (
                  'Name one above.'
                )}
              </p>
            </div>
          </section>
        ) : (
          <Page key={`${page.value} ${namespace.value}`} />
        )}
      </main>
      {isAsking && <AsWhom onClose={() => setAsking(false)} />}
    </div>
  );
}

function App() {
  return (
    <>
      {session.value.is === 'in' ? (
        <Frame />
      ) : session.value.is === 'out' ? (
        <SignIn />
      ) : (
        <main class="loading" aria-busy="true">
          <Flame />
        </main>
      )}
      <Sayings />
    </>
  );
}

render(<App />, document.getElementById('app'));
attempt(begin);
// What was on its way when the page was put aside is not waited for: a page that comes back from the cache begins anew.
addEventListener('pageshow', (event) => event.persisted && location.reload());

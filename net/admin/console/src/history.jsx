// The page "History": what was at a path, when and by whom; what happened lately; taking a commit back.
import { useEffect, useState } from 'preact/hooks';
import { admin, data, namespace } from './api.js';
import { lastId, watchChanges } from './changes.js';
import { parsePath, textOf, toJson } from './path.js';
import { attempt, go, hrefOf, isAdmin, path, say, session } from './state.js';
import { ValueAt } from './value_at.jsx';
import { Button, clock, Empty, Field, ForAdmins, moment, Table, Trouble } from './ui.jsx';

const kShown = 300; // commits that the page keeps

const short = (value, most = 160) => {
  const text = value === undefined ? '' : (toJson(value) ?? 'null');
  return text.length > most ? `${text.slice(0, most)}…` : text;
};

async function takeBack(id) {
  try {
    await admin('POST', '/.changes/undo.json', { query: { ns: namespace.value }, body: JSON.stringify({ id }) });
    say('Taken back, by a new commit.');
    return true;
  } catch (error) {
    say(error.status === 412 ? 'Something has changed there since, so it was not taken back.' : error.message, {
      isBad: true,
    });
    return false;
  }
}

function Past() {
  const [found, setFound] = useState(null);
  const [error, setError] = useState('');
  const [at, setAt] = useState(0);
  const [where, setWhere] = useState(textOf(path.value));
  const load = async () => {
    setError('');
    try {
      const { value } = await data('GET', path.value, { query: { history: 'true', values: 200 } });
      setFound(value);
      setAt(Math.max(0, value.values.length - 1));
    } catch (failure) {
      setFound(null);
      setError(failure.message);
    }
  };
  useEffect(() => {
    setWhere(textOf(path.value));
    load();
  }, [path.value, namespace.value, session.value]);
  const one = found?.values[at];
  const before = found === null ? undefined : at > 0 ? found.values[at - 1].value : found.before;
  return (
    <div class="card">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          go('history', parsePath(where));
        }}
      >
        <h2>One path</h2>
        <Field label="Path" wide>
          <input class="code" value={where} spellcheck={false} onInput={(event) => setWhere(event.target.value)} />
        </Field>
        <button type="submit" class="button main">
          Show
        </button>
        <Button onClick={load}>Reload</Button>
      </form>
      <Trouble text={error} />
      {/keeps no values/.test(error) && (
        <p>
          That can be switched on among the <a href={hrefOf('spaces')}>settings</a>, “What is kept of the past”.
        </p>
      )}
      {found !== null && found.values.length === 0 && <p>Nothing happened here since history is kept.</p>}
      {one !== undefined && (
        <div class="past">
          <Field label={`Value ${at + 1} of ${found.values.length}${found.complete ? '' : ' (the latest)'}`} wide>
            <input
              type="range"
              min="0"
              max={found.values.length - 1}
              value={at}
              onInput={(event) => setAt(Number(event.target.value))}
            />
          </Field>
          <p>
            <b>{moment(one.time)}</b> by {one.by ?? 'an admin or the app'} · <code>{one.id}</code>
          </p>
          <div class="beside">
            <div>
              <h3>Before</h3>
              <pre tabIndex={0} aria-label="Value before">
                {toJson(before ?? null, 2).slice(0, 20_000)}
              </pre>
            </div>
            <div>
              <h3>Then</h3>
              <pre tabIndex={0} aria-label="Value then">
                {toJson(one.value ?? null, 2).slice(0, 20_000)}
              </pre>
            </div>
          </div>
          <p>
            <Button onClick={async () => (await takeBack(one.id)) && load()}>Take this commit back</Button>
            <a href={hrefOf('data', path.value)}>Show in the tree</a>
          </p>
        </div>
      )}
    </div>
  );
}

function Commits() {
  const [commits, setCommits] = useState([]);
  const [isPaused, setPaused] = useState(false);
  const [filter, setFilter] = useState('');
  const [error, setError] = useState('');
  useEffect(() => {
    setCommits([]);
    setError('');
    if (isPaused) return undefined;
    const ending = new AbortController();
    let waiting = [];
    let timer;
    watchChanges(
      (commit) => {
        waiting.push(commit);
        if (waiting.length > kShown) waiting = waiting.slice(-kShown);
        timer ??= setTimeout(() => {
          timer = undefined;
          const come = waiting.reverse();
          waiting = [];
          setCommits((known) => [...come, ...known].slice(0, kShown));
        }, 100);
      },
      (failure) => setError(failure.message),
      ending.signal,
    );
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [namespace.value, isPaused, session.value]);
  const matches = commits.filter(
    ({ by, changes }) =>
      filter === '' || (by ?? '').includes(filter) || changes.some((change) => change.path.includes(filter)),
  );
  return (
    <div class="card">
      <div class="form">
        <h2>As it happens</h2>
        <Field label="Only paths or users with">
          <input value={filter} onInput={(event) => setFilter(event.target.value)} />
        </Field>
        <Button aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? 'Go on' : 'Stop'}
        </Button>
      </div>
      <Trouble text={error} />
      {!error && commits.length === 0 && (
        <p>{isPaused ? 'Stopped: nothing is read from the server.' : 'Waiting for the next commit…'}</p>
      )}
      {matches.length > 0 && (
        <Table label="Commits" heads={['When', 'Who', 'What', '']}>
          {matches.map((commit) => (
            <tr key={commit.id}>
              <td class="time">{clock(commit.time)}</td>
              <td dir="auto">{commit.by ?? '–'}</td>
              <td>
                {commit.changes.slice(0, 5).map((change, i) => (
                  <div key={i} class="change">
                    <a dir="auto" href={hrefOf('history', parsePath(change.path))}>
                      {change.path}
                    </a>{' '}
                    <code dir="auto">
                      {change.restored ? 'restored' : change.purged ? 'purged' : short(change.value)}
                    </code>
                  </div>
                ))}
                {commit.changes.length > 5 && <div>and {commit.changes.length - 5} more places</div>}
              </td>
              <td>
                <Button kind="small" onClick={() => takeBack(commit.id)}>
                  Undo
                </Button>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </div>
  );
}

// History is off unless somebody switches it on; the page can.
function SwitchOn({ onDone }) {
  const does = () =>
    attempt(async () => {
      await admin('PUT', '/.settings/history.json', {
        query: { ns: namespace.value },
        body: JSON.stringify({ age: '7d', size: '1GB', versions: true }),
      });
      say(`${namespace.value} keeps its history from now on.`);
      onDone();
    });
  return (
    <Empty title="No history is kept here">
      This namespace can keep what happened for a while, and all values by their path: for 7 days and up to 1 GB, say.
      Each commit is then written once more.
      <br />
      <Button kind="main" onClick={does}>
        Keep it
      </Button>
    </Empty>
  );
}

export function HistoryPage() {
  const [is, setIs] = useState('asking');
  const ask = async () => {
    try {
      await lastId();
      setIs('on');
    } catch (error) {
      setIs(/keeps no history/.test(error.message) ? 'off' : 'on'); // what else is wrong is said where it is asked
    }
  };
  useEffect(() => {
    ask();
  }, [namespace.value, session.value]);
  if (!isAdmin.value) return <ForAdmins what="History" />;
  return (
    <section class="page" aria-label="History">
      {is === 'off' && <SwitchOn onDone={ask} />}
      {is === 'on' && (
        <>
          <Past />
          <ValueAt key={textOf(path.value)} />
          <Commits />
        </>
      )}
    </section>
  );
}

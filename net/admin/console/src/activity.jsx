// The page "Activity": the last requests and denials of the namespace, with the reason. Recorded only while somebody looks.
import { useEffect, useRef, useState } from 'preact/hooks';
import { added, follow, matches } from './activity.js';
import { namespace } from './api.js';
import { nameOf, protocolOf } from './people.jsx';
import { parsePath, textOf } from './path.js';
import { hrefOf, isAdmin, question, session } from './state.js';
import { Button, clock, count, Field, ForAdmins, seconds, Table, Trouble } from './ui.jsx';

const kinds = ['read', 'write', 'listen', 'onDisconnect', 'rows', 'topic', 'document', 'sign-in'];
const verdicts = [
  ['', 'all'],
  ['denied', 'denied'],
  ['failed', 'failed'],
  ['denied,failed', 'denied or failed'],
  ['ok', 'done'],
];
const words = { ok: 'done', denied: 'denied', failed: 'failed' };

// Whether this tab is looked at.
function useSeen() {
  const [isSeen, setSeen] = useState(document.visibilityState === 'visible');
  useEffect(() => {
    const look = () => setSeen(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, []);
  return isSeen;
}

// The entries as they come, while `isOn`; begins anew when the question is another one.
function useActivity(query, isOn) {
  const question = JSON.stringify(query);
  const [found, setFound] = useState({ entries: [], missed: 0, error: '' });
  const place = useRef({ question, next: undefined });
  useEffect(() => {
    if (!isOn) return undefined;
    if (place.current.question !== question) setFound({ entries: [], missed: 0, error: '' });
    if (place.current.question !== question) place.current = { question, next: undefined };
    const ending = new AbortController();
    follow(query, place.current.next, {
      told: ({ entries, missed, next }) => {
        if (ending.signal.aborted) return;
        const isFirst = place.current.next === undefined;
        place.current.next = next;
        setFound((before) => ({
          entries: isFirst ? entries : added(before.entries, entries),
          missed: isFirst ? 0 : before.missed + missed,
          error: '',
        }));
      },
      failed: (error) => ending.signal.aborted || setFound((before) => ({ ...before, error })),
      signal: ending.signal,
    });
    return () => ending.abort();
  }, [question, isOn, session.value]);
  return found;
}

function Why({ entry }) {
  const { rule, reason } = entry;
  if (rule === null || rule === undefined) return <span dir="auto">{reason ?? ''}</span>;
  return (
    <details>
      <summary>
        {reason || 'Permission denied'}: <code>{rule.kind}</code> at <code dir="auto">{rule.at}</code>
      </summary>
      <code class="block" dir="auto">
        {rule.source}
      </code>
      <p>
        {rule.path !== rule.at && (
          <>
            for <code dir="auto">{rule.path}</code>,{' '}
          </>
        )}
        line {rule.line}. {rule.why} <a
          href={hrefOf('rules', parsePath(entry.path))}
          onClick={() => {
            question.value = { does: rule.kind === '.read' ? 'read' : 'write', uid: entry.user ?? null };
          }}
        >
          Ask the rules
        </a>
      </p>
    </details>
  );
}

function Entries({ entries }) {
  return (
    <Table label="Requests" heads={['When', 'Verdict', 'What', 'Where', 'Who', 'Why', '#Took']}>
      {entries.map((one) => (
        <tr key={one.n}>
          <td class="time">{clock(one.time)}</td>
          <td>
            <span class={`badge ${one.verdict === 'ok' ? 'good' : 'bad'}`}>{words[one.verdict] ?? one.verdict}</span>
          </td>
          <td class="word">{one.kind}</td>
          <td>
            <a dir="auto" href={hrefOf('data', parsePath(one.path ?? '/'))}>
              {one.path ?? '/'}
            </a>
          </td>
          <td>
            <span dir="auto">{nameOf(one)}</span>
            <small class="under">
              {protocolOf(one)}
              {one.connection === null ? '' : `, connection ${one.connection}`}
            </small>
          </td>
          <td>
            <Why entry={one} />
          </td>
          <td class="number">{one.ms === null || one.ms === undefined ? '' : seconds(one.ms / 1000)}</td>
        </tr>
      ))}
    </Table>
  );
}

export function ActivityPage() {
  const [kind, setKind] = useState('');
  const [verdict, setVerdict] = useState('');
  const [where, setWhere] = useState('');
  const [typed, setTyped] = useState(''); // of `where`, until it is entered: what comes meanwhile draws the field anew
  const [text, setText] = useState('');
  const [isPaused, setPaused] = useState(false);
  const isSeen = useSeen();
  const below = parsePath(where);
  const query = { ns: namespace.value, kind, verdict, path: below.length > 0 ? textOf(below) : '' };
  for (const name of Object.keys(query)) if (query[name] === '') delete query[name];
  const { entries, missed, error } = useActivity(query, isAdmin.value && isSeen && !isPaused);
  if (!isAdmin.value) return <ForAdmins what="Activity" />;
  const shown = entries.filter((entry) => matches(entry, text));
  return (
    <section class="page" aria-label="Activity">
      <div class="card">
        <div class="form">
          <h2>
            Requests <small>in {namespace.value}, as they come</small>
          </h2>
          <Field label="With this text">
            <input type="search" value={text} onInput={(event) => setText(event.target.value)} />
          </Field>
          <Field label="At or below">
            <input
              class="code"
              value={typed}
              placeholder="/"
              spellcheck={false}
              onInput={(event) => setTyped(event.target.value)}
              onChange={(event) => setWhere(event.target.value)}
            />
          </Field>
          <Field label="Kind">
            <select value={kind} onChange={(event) => setKind(event.target.value)}>
              <option value="">all</option>
              {kinds.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </Field>
          <Field label="Verdict">
            <select value={verdict} onChange={(event) => setVerdict(event.target.value)}>
              {verdicts.map(([name, label]) => (
                <option key={name} value={name}>
                  {label}
                </option>
              ))}
            </select>
          </Field>
          <Button aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
            {isPaused ? 'Go on' : 'Pause'}
          </Button>
        </div>
        <Trouble text={error} />
        <p class="note" role="status">
          {isPaused
            ? 'Paused: the server is not asked, and stops recording.'
            : entries.length === 0
              ? 'Waiting for the next request…'
              : `${count(shown.length)} of the last ${count(entries.length)}${missed > 0 ? `; ${count(missed)} came too fast to be kept` : ''}`}
        </p>
        {shown.length > 0 && <Entries entries={shown} />}
      </div>
      <p class="foot">
        The server records while this page is open and seen, and forgets 30 seconds later. Values and credentials are not
        recorded.
      </p>
    </section>
  );
}

// The page "Rules": who may read and write what. Errors where they are, as one types; why somebody may or may not; what
// has been asked so far; and what would change before it does.
import { useEffect, useRef, useState } from 'preact/hooks';
import { admin, namespace, Refused, text as fetchText } from './api.js';
import { parsePath, textOf, toJson, valueFrom } from './path.js';
import { about, attempt, isAdmin, path, question, say, session } from './state.js';
import { Indexes } from './indexes.jsx';
import { Button, Dialog, Field, ForAdmins, Trouble } from './ui.jsx';

const kNone = `{
  "rules": {
    ".read": "auth != null",
    ".write": false
  }
}
`;

// What somebody has typed and not published, by namespace: it is there again when they come back to the page.
const drafts = new Map();
let draftsOf; // the session in which they were typed
addEventListener('beforeunload', (event) => drafts.size > 0 && event.preventDefault());

// The rules in force; "": none are set.
async function readRules(space) {
  try {
    const text = await fetchText('GET', '/.settings/rules.json', { query: { ns: space } });
    return text === 'null' ? '' : text;
  } catch (error) {
    if (error.status !== 404) throw error;
    return '';
  }
}

// "3:7: Unknown variable 'nul'." → where and what.
export function errorsOf(message, isWarning = false) {
  return message
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const match = /^(?:[^:\s]*:)?(\d+):(\d+):\s*(.*)$/.exec(line);
      return match
        ? { line: Number(match[1]), column: Number(match[2]), text: match[3], isWarning }
        : { line: 1, column: 1, text: line, isWarning };
    });
}

async function check(text) {
  try {
    const { value } = await admin('PUT', '/.settings/rules.json', {
      query: { ns: namespace.value, dryRun: 'true' },
      body: text,
    });
    return (value?.warnings ?? []).flatMap((one) => errorsOf(one, true));
  } catch (error) {
    if (error instanceof Refused && error.status === 400) return errorsOf(error.message);
    return [{ line: 1, column: 1, text: error.message }];
  }
}

function Verdict({ found, show }) {
  return (
    <div class="verdict" role="status">
      <p class={found.allowed ? 'good' : 'bad'}>
        <b>{found.allowed ? 'Allowed' : 'Denied'}</b> {found.reason}
      </p>
      {found.rules.map((rule, i) => (
        <details key={i} open={found.rules.length <= 4 || rule.outcome !== 'true'}>
          <summary>
            <span class={`outcome ${rule.outcome}`}>{rule.outcome}</span> <code>{rule.rule}</code> at{' '}
            <code dir="auto">{rule.pattern}</code>
            {rule.path !== rule.pattern && (
              <>
                {' '}
                for <code dir="auto">{rule.path}</code>
              </>
            )}
            <button
              type="button"
              class="link"
              onClick={(event) => {
                event.preventDefault();
                show(rule.line, rule.column);
              }}
            >
              line {rule.line}
            </button>
          </summary>
          {rule.why && <p class="warning">{rule.why}</p>}
          <table>
            <tbody>
              {rule.parts.map((part, j) => (
                <tr key={j} class={j === rule.parts.length - 1 ? 'whole' : ''}>
                  <td>
                    <code dir="auto">{part.source}</code>
                  </td>
                  <td>
                    <code dir="auto">{part.value}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {rule.partsLeftOut > 0 && <p>{rule.partsLeftOut} more parts are left out.</p>}
        </details>
      ))}
      {found.rulesLeftOut > 0 && <p>{found.rulesLeftOut} more rules are left out.</p>}
    </div>
  );
}

// `draft`: what the editor has, where it is not what is in force; `isWrong`: and has mistakes.
function Trial({ show, draft, isWrong }) {
  const asked = question.value; // by what was denied, on the page Activity
  const [does, setDoes] = useState(asked?.does ?? 'read');
  const [where, setWhere] = useState(textOf(path.value));
  const [value, setValue] = useState('{}');
  const [who, setWho] = useState(asked !== null && asked.uid === null ? 'out' : 'user');
  const [uid, setUid] = useState(asked?.uid ?? 'ada');
  const [isOfDraft, setOfDraft] = useState(true);
  useEffect(() => {
    question.value = null;
  }, []);
  const [auth, setAuth] = useState('{"uid": "ada", "token": {"admin": true}}');
  const [found, setFound] = useState(null);
  const [error, setError] = useState('');
  useEffect(() => setFound(null), [draft, isOfDraft]); // what was said of other rules is no answer any more
  const ask = async (event) => {
    event.preventDefault();
    setError('');
    try {
      const asks = { [does === 'delete' ? 'write' : does]: textOf(parsePath(where)) };
      if (does === 'write' || does === 'update') asks.value = valueFrom(value, 'JSON');
      if (does === 'delete') asks.value = null;
      asks.auth = who === 'out' ? null : who === 'user' ? { uid } : valueFrom(auth, 'JSON');
      if (draft !== null && isOfDraft) asks.rules = draft;
      setFound(
        (await admin('POST', '/.inspect/explain.json', { query: { ns: namespace.value }, body: toJson(asks) })).value,
      );
    } catch (failure) {
      setFound(null);
      setError(failure.message);
    }
  };
  return (
    <div class="card">
      <form class="form" onSubmit={ask}>
        <h2>May they?</h2>
        <Field label="Who">
          <select value={who} onChange={(event) => setWho(event.target.value)}>
            <option value="user">a user</option>
            <option value="out">somebody signed out</option>
            <option value="token">a whole auth variable</option>
          </select>
        </Field>
        {who === 'user' && (
          <Field label="User id">
            <input value={uid} onInput={(event) => setUid(event.target.value)} />
          </Field>
        )}
        {who === 'token' && (
          <Field label="auth" wide>
            <input class="code" value={auth} spellcheck={false} onInput={(event) => setAuth(event.target.value)} />
          </Field>
        )}
        <Field label="Does">
          <select value={does} onChange={(event) => setDoes(event.target.value)}>
            <option value="read">read</option>
            <option value="write">write</option>
            <option value="update">update</option>
            <option value="delete">delete</option>
          </select>
        </Field>
        <Field label="Where" wide>
          <input class="code" value={where} spellcheck={false} onInput={(event) => setWhere(event.target.value)} />
        </Field>
        {(does === 'write' || does === 'update') && (
          <Field label="Value" wide>
            <textarea
              class="code"
              rows={3}
              spellcheck={false}
              value={value}
              onInput={(event) => setValue(event.target.value)}
            />
          </Field>
        )}
        {draft !== null && (
          <Field label="By which rules" hint={isOfDraft && isWrong ? 'They have mistakes, so they cannot be asked yet.' : ''}>
            <select
              value={isOfDraft ? 'draft' : 'force'}
              onChange={(event) => setOfDraft(event.target.value === 'draft')}
            >
              <option value="draft">those in the editor</option>
              <option value="force">those in force</option>
            </select>
          </Field>
        )}
        <button type="submit" class="button main" disabled={draft !== null && isOfDraft && isWrong}>
          Ask
        </button>
      </form>
      <Trouble text={error} />
      {found && <Verdict found={found} show={show} />}
    </div>
  );
}

// Against the rules that are in force as the question is put: somebody else may have published meanwhile.
function Publish({ known, after, onClose, onDone }) {
  const host = useRef();
  const space = namespace.value;
  const [before, setBefore] = useState(null);
  const [error, setError] = useState('');
  useEffect(() => {
    let view;
    let isGone = false;
    Promise.all([readRules(space), import('./editor.js')]).then(
      ([now, { Difference }]) => {
        if (isGone) return;
        setBefore(now);
        view = new Difference(host.current, now, after);
      },
      (failure) => isGone || setError(failure.message),
    );
    return () => {
      isGone = true;
      view?.end();
    };
  }, []);
  const publish = async () => {
    try {
      if ((await readRules(space)) !== before) throw new Error('Others were published just now: look at them first.');
      await admin('PUT', '/.settings/rules.json', { query: { ns: space }, body: after });
      say('The rules are in force.', {
        label: 'Back to the old ones',
        undo:
          before === ''
            ? undefined
            : () =>
                attempt(async () => {
                  await admin('PUT', '/.settings/rules.json', { query: { ns: space }, body: before });
                  say('The old rules are in force again.');
                  onDone(before);
                  drafts.delete(space);
                }),
      });
      onDone(after);
      drafts.delete(space);
      onClose();
    } catch (failure) {
      setError(failure.message);
    }
  };
  return (
    <Dialog title={`Publish these rules for ${space}?`} onClose={onClose} wide>
      <p>From then on they decide. Listeners who may not listen any more are told so.</p>
      {before !== null && before !== known && (
        <p class="warning">Somebody else has published rules since you began: these are compared with theirs.</p>
      )}
      <div class="editor difference" ref={host} />
      <Trouble text={error} />
      <footer>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="main" onClick={publish} disabled={before === null}>
          Publish
        </Button>
      </footer>
    </Dialog>
  );
}

export function RulesPage() {
  const host = useRef();
  const editor = useRef();
  const [inForce, setInForce] = useState('');
  const force = useRef('');
  force.current = inForce;
  const [text, setText] = useState('');
  const [errors, setErrors] = useState([]);
  const [isShaded, setShaded] = useState(false);
  const [isPublishing, setPublishing] = useState(false);
  const [trouble, setTrouble] = useState('');
  useEffect(() => {
    if (draftsOf !== session.value) drafts.clear();
    draftsOf = session.value;
    if (!isAdmin.value) return undefined;
    let isGone = false;
    attempt(async () => {
      const space = namespace.value;
      const now = await readRules(space).catch((error) => {
        setTrouble(error.message);
        return '';
      });
      const { Editor } = await import('./editor.js');
      if (isGone) return;
      const begun = drafts.get(space) ?? (now === '' ? kNone : now);
      setInForce(now);
      setText(begun);
      editor.current = new Editor(host.current, {
        text: begun,
        label: `Rules of ${space}`,
        onChange: (changed) => {
          if (changed === (force.current === '' ? kNone : force.current)) drafts.delete(space);
          else drafts.set(space, changed);
          setText(changed);
        },
        check: async (asked) => {
          const found = await check(asked);
          if (!isGone) setErrors(found);
          return found;
        },
      });
    });
    return () => {
      isGone = true;
      editor.current?.end();
      editor.current = undefined;
    };
  }, [namespace.value, session.value]);

  const isChanged = text !== (inForce === '' ? kNone : inForce);
  useEffect(() => {
    if (!isShaded || isChanged) {
      editor.current?.cover(null);
      return undefined;
    }
    let isGone = false;
    const ask = async () => {
      try {
        const { value } = await admin('GET', '/.inspect/coverage.json', { query: { ns: namespace.value } });
        if (!isGone) editor.current?.cover(value.rules);
      } catch (error) {
        if (!isGone) {
          setShaded(false);
          say(error.message, { isBad: true });
        }
      }
    };
    ask();
    const timer = setInterval(ask, 3_000);
    return () => {
      isGone = true;
      clearInterval(timer);
    };
  }, [isShaded, isChanged, text]);

  if (!isAdmin.value) return <ForAdmins what="The page of the rules" />;
  const bad = errors.filter((one) => !one.isWarning);
  return (
    <section class="page rules-page" aria-label="Rules">
      <div class="card editor-card">
        <div class="bar">
          <h2>Rules of {namespace.value}</h2>
          <span class={`state ${bad.length > 0 ? 'bad' : isChanged ? 'changed' : ''}`} role="status">
            {bad.length > 0
              ? `${bad.length} ${bad.length === 1 ? 'error' : 'errors'}`
              : isChanged
                ? 'changed, and correct'
                : inForce === ''
                  ? 'none are set'
                  : 'in force'}
          </span>
          <label class="check" title={about.value.dev ? undefined : 'What is evaluated is counted with --dev only.'}>
            <input
              type="checkbox"
              checked={isShaded}
              disabled={isChanged || !about.value.dev}
              onChange={(event) => setShaded(event.target.checked)}
            />{' '}
            Coverage
          </label>
          <Button
            disabled={!isChanged}
            onClick={() => {
              editor.current.text = inForce === '' ? kNone : inForce;
            }}
          >
            Revert
          </Button>
          <Button
            kind="main"
            disabled={bad.length > 0 || (!isChanged && inForce !== '')}
            onClick={() => setPublishing(true)}
          >
            Publish…
          </Button>
        </div>
        <Trouble text={trouble} />
        {inForce === '' && (
          <p class="note">
            No rules are set:{' '}
            {about.value.dev ? 'with --dev everyone may do everything.' : 'nobody but an admin may do anything.'}
          </p>
        )}
        <div class="editor" ref={host} />
        {bad.length > 0 && (
          <ul class="errors">
            {bad.slice(0, 20).map((one, i) => (
              <li key={i}>
                <button type="button" class="link" onClick={() => editor.current.show(one.line, one.column)}>
                  {one.line}:{one.column}
                </button>{' '}
                {one.text}
              </li>
            ))}
          </ul>
        )}
        {isShaded && (
          <p class="note shades">
            <span>
              <i class="shade both" /> true and false
            </span>
            <span>
              <i class="shade one" /> only one of both
            </span>
            <span>
              <i class="shade none" /> never asked
            </span>
          </p>
        )}
      </div>
      <div class="side">
        <Trial
          show={(line, column) => editor.current?.show(line, column)}
          draft={isChanged ? text : null}
          isWrong={bad.length > 0}
        />
        <Indexes />
      </div>
      {isPublishing && (
        <Publish
          known={inForce}
          after={text}
          onClose={() => setPublishing(false)}
          onDone={(now) => {
            setInForce(now);
            if (editor.current && editor.current.text !== now) editor.current.text = now;
          }}
        />
      )}
    </section>
  );
}

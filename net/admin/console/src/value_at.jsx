// What stood at a path at a moment of the past, and putting it back.
import { useState } from 'preact/hooks';
import { data } from './api.js';
import { textOf, toJson } from './path.js';
import { path } from './state.js';
import { exported, read, set } from './tree_actions.js';
import { Button, Field, FormDialog, moment, Trouble } from './ui.jsx';

const kShownMax = 20_000; // characters

// As an <input type="datetime-local"> has it, in the time of this machine.
function localOf(time) {
  const at = new Date(time);
  return new Date(time - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

// The value is written as what it was, and only if nothing has changed since the question was put; it can be undone.
function PutBack({ at, then, onClose }) {
  const does = async () => {
    const before = await read(at);
    await set(at, then.value, before);
  };
  return (
    <FormDialog title={`Put back what was at ${textOf(at)}?`} onClose={onClose} does={does} label="Put it back">
      <p>
        What stands there now is replaced by the value of {moment(then.time)}
        {then.value === null ? ', which is nothing' : ''}, in a new commit.
      </p>
    </FormDialog>
  );
}

export function ValueAt() {
  const [when, setWhen] = useState(localOf(Date.now()));
  const [then, setThen] = useState(null);
  const [error, setError] = useState('');
  const [isAsking, setAsking] = useState(false);
  const at = path.value;
  const submit = async (event) => {
    event.preventDefault();
    setError('');
    const time = new Date(when).getTime();
    try {
      setThen({ time, value: (await data('GET', at, { query: { ...exported, at: time } })).value ?? null });
    } catch (failure) {
      setThen(null);
      setError(failure.message);
    }
  };
  return (
    <div class="card">
      <form class="form" onSubmit={submit}>
        <h2>
          At a time <small dir="auto">{textOf(at)}</small>
        </h2>
        <Field label="When">
          <input
            type="datetime-local"
            step="1"
            required
            value={when}
            onInput={(event) => setWhen(event.target.value)}
          />
        </Field>
        <button type="submit" class="button">
          Show the value
        </button>
        {then !== null && <Button onClick={() => setAsking(true)}>Put it back…</Button>}
      </form>
      <Trouble text={error} />
      {then !== null && (
        <pre tabIndex={0} dir="auto" class="then" aria-label={`Value at ${moment(then.time)}`}>
          {toJson(then.value, 2).slice(0, kShownMax)}
        </pre>
      )}
      {isAsking && <PutBack at={at} then={then} onClose={() => setAsking(false)} />}
    </div>
  );
}

// Messages of one webhook that could not be delivered: to be read, sent again, or dropped.
import { useState } from 'preact/hooks';
import { admin, namespace } from './api.js';
import { toJson } from './path.js';
import { usePolled } from './poll.js';
import { attempt, say } from './state.js';
import { Button, count, FormDialog, moment, Table, Trouble } from './ui.jsx';
import { ask, outcome } from './webhooks.js';

const kShown = 100; // a webhook keeps 1,000 of them, and 16 MB
const kBodyMax = 20_000; // characters of one that are shown

function Letter({ letter, onAgain, onDrop }) {
  const isMissed = letter.missed !== undefined;
  const body = isMissed ? '' : toJson(letter.body, 2);
  return (
    <tr>
      <td>{moment(letter.time)}</td>
      <td>
        {isMissed ? (
          <span>
            Changes that the log no longer has, from behind <code>{letter.missed.after}</code> up to{' '}
            <code>{letter.missed.before ?? 'the present'}</code>: read the data anew.
          </span>
        ) : (
          <details>
            <summary>
              <code>{letter.message}</code>
            </summary>
            <pre tabIndex={0} dir="auto" aria-label={`Message ${letter.message}`}>
              {body.length > kBodyMax ? `${body.slice(0, kBodyMax)}…` : body}
            </pre>
          </details>
        )}
      </td>
      <td dir="auto">
        {letter.why}
        {letter.attempts > 0 && <small class="under">after {letter.attempts} attempts</small>}
      </td>
      <td class="actions">
        {!isMissed && (
          <Button kind="small" onClick={onAgain} aria-label={`Send again ${letter.message}`}>
            Send again
          </Button>
        )}
        <Button kind="small danger" onClick={onDrop} aria-label={`Drop ${letter.message}`}>
          Drop
        </Button>
      </td>
    </tr>
  );
}

export function DeadLetters({ hook, onChange }) {
  const [isDropping, setDropping] = useState(false);
  const space = namespace.value;
  const look = async (signal) =>
    (await admin('GET', '/.webhooks/dead.json', { query: { ns: space, id: hook.id }, signal })).value;
  // Read anew when the list of webhooks counts another number of them: all together they may be large.
  const { value: found, error, again } = usePolled(look, 0, [space, hook.id, hook.dead]);
  const changed = () => {
    again();
    onChange();
  };
  const send = (message) =>
    attempt(async () => {
      const sent = await ask('/retry', { id: hook.id, message });
      say(sent.taken ? `Sent: ${outcome(sent)}.` : `Not taken: ${outcome(sent)}.`, { isBad: !sent.taken });
      changed();
    });
  // The oldest first, until one is not taken.
  const sendAll = () =>
    attempt(async () => {
      let done = 0;
      for (let left = hook.dead; left > 0; ) {
        const sent = await ask('/retry', { id: hook.id });
        if (!sent.taken) {
          say(`${count(done)} were taken, then ${outcome(sent)}.`, { isBad: true });
          return changed();
        }
        ++done;
        left = sent.left;
      }
      say(`All ${count(done)} were taken.`);
      return changed();
    });
  const drop = (message) =>
    attempt(async () => {
      await ask('/clear', message === undefined ? { id: hook.id } : { id: hook.id, message });
      changed();
    });
  const letters = found?.letters ?? [];
  return (
    <section class="letters" aria-label={`Dead letters of ${hook.id}`}>
      <div class="bar">
        <h3>
          Dead letters
          {letters.length > kShown ? `, the oldest ${kShown} of ${count(letters.length)}` : ''}
          {found?.dropped > 0 ? `; ${count(found.dropped)} older ones are gone` : ''}
        </h3>
        <Button kind="small" onClick={sendAll}>
          Send all again
        </Button>
        <Button kind="small danger" onClick={() => setDropping(true)}>
          Drop all…
        </Button>
      </div>
      <Trouble text={error} />
      {letters.length > 0 && (
        <Table label="Dead letters" heads={['When', 'Message', 'Why', '']}>
          {letters.slice(0, kShown).map((letter) => (
            <Letter
              key={letter.message}
              letter={letter}
              onAgain={() => send(letter.message)}
              onDrop={() => drop(letter.message)}
            />
          ))}
        </Table>
      )}
      {isDropping && (
        <FormDialog
          title={`Drop all dead letters of ${hook.id}?`}
          onClose={() => setDropping(false)}
          does={() => drop()}
          label="Drop them"
          kind="danger"
        >
          <p>{count(hook.dead)} messages are then gone, and are never sent.</p>
        </FormDialog>
      )}
    </section>
  );
}

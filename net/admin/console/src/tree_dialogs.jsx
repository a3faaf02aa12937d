// The questions that actions at a place ask.
import { useEffect, useRef, useState } from 'preact/hooks';
import { JsonField } from './code_field.jsx';
import { attempt, say } from './state.js';
import { parseJson, parsePath, textOf, toJson, typeOf, valueFrom, whyNoKey } from './path.js';
import { bring, isLarge, move, nothing, read, remove, set, setPriority, size } from './tree_actions.js';
import { bytes, few, Field, FormDialog } from './ui.jsx';

const types = ['text', 'number', 'boolean', 'JSON'];

function Value({ text, type, setText, setType, rows = 4, autofocus = false }) {
  return (
    <div class="value-form">
      <Field label="Type">
        <select
          value={type}
          onChange={(event) => {
            setType(event.target.value);
            if (event.target.value === 'boolean' && text !== 'false') setText('true');
          }}
        >
          {types.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </Field>
      {type === 'JSON' ? (
        <JsonField label="Value" {...{ text, setText, autofocus }} rows={Math.max(rows, 8)} />
      ) : (
        <Field label="Value" wide>
          {type === 'boolean' ? (
            <select value={text} onChange={(event) => setText(event.target.value)}>
              <option>true</option>
              <option>false</option>
            </select>
          ) : (
            <textarea
              rows={rows}
              spellcheck={false}
              class="code"
              value={text}
              autofocus={autofocus}
              onInput={(event) => setText(event.target.value)}
            />
          )}
        </Field>
      )}
    </div>
  );
}

function AddDialog({ path, onClose }) {
  const [key, setKey] = useState('');
  const [text, setText] = useState('');
  const [type, setType] = useState('text');
  const does = async () => {
    const why = whyNoKey(key);
    if (why) throw new Error(why);
    const value = valueFrom(text, type);
    if (value === null) throw new Error('null is nothing, so there would be nothing to add.');
    try {
      await set([...path, key], value, { value: null, etag: nothing });
    } catch (error) {
      throw /changed meanwhile/.test(error.message) ? new Error('There is a child of that key already.') : error;
    }
  };
  return (
    <FormDialog title={`Add a child to ${textOf(path)}`} onClose={onClose} does={does} label="Add">
      <Field label="Key">
        <input class="code" value={key} spellcheck={false} autofocus onInput={(event) => setKey(event.target.value)} />
      </Field>
      <Value {...{ text, setText, type, setType }} />
    </FormDialog>
  );
}

function EditDialog({ path, onClose }) {
  const [before, setBefore] = useState(null);
  const [text, setText] = useState('');
  const [type, setType] = useState('JSON');
  useEffect(() => {
    attempt(async () => {
      const found = await read(path);
      const bare =
        found.value !== null && typeof found.value === 'object' && '.value' in found.value
          ? found.value['.value']
          : found.value;
      const is = typeOf(bare);
      setType(is === 'object' || is === 'nothing' ? 'JSON' : is);
      setText(is === 'text' ? bare : toJson(bare, 2));
      setBefore({ ...found, priority: bare === found.value ? undefined : found.value['.priority'] });
    });
  }, []);
  if (before === null) return null;
  const does = () => {
    const value = valueFrom(text, type);
    return set(
      path,
      before.priority === undefined || value === null ? value : { '.value': value, '.priority': before.priority },
      before,
    );
  };
  return (
    <FormDialog title={`Edit ${textOf(path)}`} onClose={onClose} does={does} label="Save" wide>
      <Value {...{ text, setText, type, setType }} rows={type === 'JSON' || text.length > 200 ? 14 : 3} autofocus />
    </FormDialog>
  );
}

function MoveDialog({ path, onClose }) {
  const [to, setTo] = useState(textOf(path));
  const does = () => {
    const target = parsePath(to);
    const why = target.map(whyNoKey).find((one) => one !== '');
    if (why) throw new Error(why);
    return move(path, target);
  };
  return (
    <FormDialog title={`Rename or move ${textOf(path)}`} onClose={onClose} does={does} label="Move">
      <Field label="New path" hint="In one commit, and only if nothing is there and this is still what it was.">
        <input class="code" value={to} spellcheck={false} autofocus onInput={(event) => setTo(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

function PriorityDialog({ path, now, onClose }) {
  const [text, setText] = useState(now === undefined ? '' : toJson(now));
  const does = async () => {
    let value = null;
    if (text.trim() !== '') {
      try {
        value = parseJson(text);
      } catch {
        value = text;
      }
    }
    await setPriority(path, value);
  };
  return (
    <FormDialog title={`Priority of ${textOf(path)}`} onClose={onClose} does={does} label="Set">
      <Field label="Priority" hint="A number or a text; nothing: no priority.">
        <input class="code" value={text} autofocus onInput={(event) => setText(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

function ImportDialog({ path, text: given = '', onClose }) {
  const [text, setText] = useState(given);
  const [how, setHow] = useState('merge');
  const [file, setFile] = useState(null);
  const take = async (one) => {
    if (!one) return;
    setFile(`${one.name}, ${bytes(one.size)}`);
    setText(await one.text());
  };
  const does = async () => {
    await bring(path, valueFrom(text, 'JSON'), how);
  };
  return (
    <FormDialog
      title={`Import into ${textOf(path)}`}
      onClose={onClose}
      does={does}
      kind={how === 'replace' ? 'danger' : 'main'}
      label={how === 'replace' ? 'Replace what is there' : 'Merge'}
      wide
    >
      <fieldset class="choices">
        <legend>What becomes of what is there</legend>
        <label>
          <input type="radio" name="how" checked={how === 'merge'} onChange={() => setHow('merge')} /> It stays, beside
          the children that come
        </label>
        <label>
          <input type="radio" name="how" checked={how === 'replace'} onChange={() => setHow('replace')} /> It is
          replaced
        </label>
      </fieldset>
      <div
        onDropCapture={(event) => {
          if (event.dataTransfer.files.length === 0) return;
          event.preventDefault();
          event.stopPropagation();
          take(event.dataTransfer.files[0]);
        }}
      >
        <JsonField
          label="JSON"
          hint={file ?? 'Paste it here, or choose or drop a file.'}
          {...{ text, setText }}
          rows={12}
        />
      </div>
      <Field label="File">
        <input type="file" accept=".json,application/json" onChange={(event) => take(event.target.files[0])} />
      </Field>
    </FormDialog>
  );
}

function RemoveDialog({ path, measured, onClose }) {
  const does = () => remove(path, { keep: !isLarge(measured) });
  return (
    <FormDialog title={`Delete ${textOf(path)}?`} onClose={onClose} does={does} label="Delete" kind="danger">
      <p>
        {measured === undefined
          ? 'Everything below it goes too.'
          : `${measured.exact ? '' : 'About '}${few(measured.leaves, 'value')}, ${bytes(measured.bytes)}.`}
      </p>
      {isLarge(measured) && (
        <p class="warning">
          That is more than this page keeps, so it cannot be undone here. Where history is on, “History” can.
        </p>
      )}
    </FormDialog>
  );
}

const dialogs = {
  add: AddDialog,
  edit: EditDialog,
  move: MoveDialog,
  priority: PriorityDialog,
  import: ImportDialog,
  remove: RemoveDialog,
};

export function PlaceDialog({ which, onClose }) {
  const One = dialogs[which.is];
  return <One {...which} onClose={onClose} />;
}

// A leaf goes at once, for it comes back at once; of more it is asked first.
export async function askToRemove(node, show) {
  if (node.kind === 'leaf') return attempt(() => remove(node.path));
  return show({ is: 'remove', path: node.path, measured: await size(node.path) });
}

// One line, in the place of the value. Enter saves, Escape leaves.
export function InlineEditor({ node, onClose }) {
  const [isBusy, setBusy] = useState(false);
  const [text, setText] = useState(node.value === null ? '' : String(node.value));
  const [type, setType] = useState(typeOf(node.value) === 'object' ? 'number' : typeOf(node.value));
  const [error, setError] = useState('');
  const input = useRef();
  const form = useRef();
  const found = useRef(); // what stands there as the editing begins: a save waits for it
  useEffect(() => {
    found.current = read(node.path);
    found.current.catch((failure) => {
      say(failure.message, { isBad: true });
      onClose();
    });
    input.current?.focus();
    input.current?.select?.();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    try {
      const value = valueFrom(text, type);
      const before = await found.current;
      const priority = before.value?.['.priority'];
      await set(node.path, priority === undefined ? value : { '.value': value, '.priority': priority }, before);
      onClose(true);
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <form
      class="inline"
      ref={form}
      onSubmit={submit}
      onClick={(event) => event.stopPropagation()}
      onDblClick={(event) => event.stopPropagation()}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === 'Escape') onClose(true);
      }}
      onFocusOut={(event) => {
        if (!form.current?.contains(event.relatedTarget) && event.relatedTarget !== null) onClose();
      }}
    >
      <select
        aria-label="Type"
        value={type}
        onChange={(event) => {
          setType(event.target.value);
          if (event.target.value === 'boolean') setText('true');
        }}
      >
        {types.slice(0, 3).map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      {type === 'boolean' ? (
        <select
          aria-label={`Value of ${node.key}`}
          value={text}
          ref={input}
          onChange={(event) => setText(event.target.value)}
        >
          <option>true</option>
          <option>false</option>
        </select>
      ) : (
        <input
          aria-label={`Value of ${node.key ?? '/'}`}
          value={text}
          ref={input}
          autofocus
          spellcheck={false}
          inputMode={type === 'number' ? 'decimal' : undefined}
          onInput={(event) => setText(event.target.value)}
        />
      )}
      <button type="submit" class="button main small">
        Save
      </button>
      {error && (
        <span class="error" role="alert">
          {error}
        </span>
      )}
    </form>
  );
}

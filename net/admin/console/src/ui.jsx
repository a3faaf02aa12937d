// What all pages are made of. Everything that comes from the database is given to the DOM as text.
import { useEffect, useRef, useState } from 'preact/hooks';
import { say, sayings, unsay } from './state.js';

// Drawn on a grid of 16, with the colour of the text.
const icons = {
  data: 'M2.5 3.5h4l1 1.5h6v7.5h-11z',
  query: 'M2.5 3.5h11L9.5 8.5v4l-3-1.5v-2.5z',
  rules: 'M8 1.8l5 2v4c0 3-2.2 5.3-5 6.4-2.8-1.1-5-3.4-5-6.4v-4z',
  history: 'M8 4.5V8l2.5 1.5M2.6 6.6a5.6 5.6 0 1 1-.2 2.6M2.5 3.4v3.2h3.2',
  health: 'M1.5 8.5h3l2-5 3 9 2-4h3',
  people:
    'M5.8 7.3a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM1.6 13.2c0-2.4 1.8-4 4.2-4s4.2 1.6 4.2 4M10.4 2.9a2.3 2.3 0 0 1 0 4.3M11.6 9.5c1.7.5 2.8 1.8 2.8 3.7',
  activity: 'M2.5 4h2M6.5 4h7M2.5 8h2M6.5 8h7M2.5 12h2M6.5 12h4',
  channels: 'M8 9.2a1.2 1.2 0 1 0 0-2.4 1.2 1.2 0 0 0 0 2.4zM5.2 10.8a4 4 0 0 1 0-5.6M10.8 5.2a4 4 0 0 1 0 5.6M3.1 12.9a7 7 0 0 1 0-9.8M12.9 3.1a7 7 0 0 1 0 9.8',
  documents: 'M3.5 1.8h6l3 3v9.4h-9zM9.5 1.8v3h3M5.5 8h5M5.5 11h5',
  webhooks: 'M2.5 8h8M7.5 4.5L11 8l-3.5 3.5M13.5 2.5v11',
  spaces: 'M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5H9z',
  cluster: 'M6 2.5h4v3.5h-4zM1.5 10h4v3.5h-4zM10.5 10h4v3.5h-4zM8 6v2.2M3.5 10V8.2h9V10',
  more: 'M3.2 8h.1M8 8h.1M12.8 8h.1',
  right: 'M6 3.5L10.5 8 6 12.5',
  plus: 'M8 3v10M3 8h10',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.8M8 13.2V15M1 8h1.8M13.2 8H15M3 3l1.3 1.3M11.7 11.7L13 13M3 13l1.3-1.3M11.7 4.3L13 3',
  moon: 'M13 9.5A5.6 5.6 0 0 1 6.5 3a5.6 5.6 0 1 0 6.5 6.5z',
  auto: 'M8 2.2a5.8 5.8 0 1 0 0 11.6zM8 2.2a5.8 5.8 0 0 1 0 11.6',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.4 10.4l3.3 3.3',
  eye: 'M1.5 8s2.4-4.2 6.5-4.2S14.5 8 14.5 8s-2.4 4.2-6.5 4.2S1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z',
  out: 'M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6',
};
export const Icon = ({ name }) => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    <path d={icons[name]} />
  </svg>
);

export const Flame = () => (
  <svg class="flame" viewBox="0 0 24 24" aria-hidden="true">
    <path
      class="outer"
      d="M12.3 1.5c.6 3.3-.9 5-2.6 6.9C8 10.300 6 12.300 6 15.600A6.200 6.200 0 0 0 12.200 22c3.600 0 6.300-2.700 6.300-6.300 0-3.300-1.700-5.700-3.200-7.400-.2 1.500-.7 2.600-1.700 3.400.4-3.600-.2-7.200-1.300-10.200z"
    />
    <path
      class="inner"
      d="M12.200 20.300c-1.900 0-3.200-1.300-3.200-3.100 0-2 1.700-3 2.700-4.900 1.500 1.300 3.600 2.700 3.600 4.900 0 1.800-1.300 3.100-3.100 3.100z"
    />
  </svg>
);

export const Button = ({ kind = '', children, ...rest }) => (
  <button type="button" class={`button ${kind}`} {...rest}>
    {children}
  </button>
);
export const IconButton = ({ icon, label, ...rest }) => (
  <button type="button" class="icon-button" aria-label={label} title={label} {...rest}>
    <Icon name={icon} />
  </button>
);

export function Field({ label, hint, children, wide }) {
  return (
    <div class={`field ${wide ? 'wide' : ''}`}>
      <label>
        <span>{label}</span>
        {children}
      </label>
      {hint && <small>{hint}</small>}
    </div>
  );
}

// A native dialog: it holds the focus, Escape closes it, and the focus goes back to where it was.
export function Dialog({ title, onClose, children, wide }) {
  const dialog = useRef();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.isConnected && before.focus?.();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? 'wide' : ''}
      aria-label={title}
      onClose={onClose}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header>
        <h2>{title}</h2>
        <IconButton icon="close" label="Close" onClick={onClose} />
      </header>
      {children}
    </dialog>
  );
}

// A dialog that asks for something; `does` throws when it does not go, and then the dialog stays. `isOff`: not yet.
export function FormDialog({ title, onClose, does, label, kind = 'main', isOff, children, wide }) {
  const [error, setError] = useState('');
  const [isBusy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError('');
    try {
      await does();
      onClose();
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose} wide={wide}>
      <form onSubmit={submit}>
        {children}
        <Trouble text={error} />
        <footer>
          <Button onClick={onClose} autofocus>
            Cancel
          </Button>
          <button type="submit" class={`button ${kind}`} disabled={isBusy || isOff}>
            {label}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

// Items: { label, does, kind } or null for a line. Opens at a button or a point.
export function Menu({ items, at, onClose, label }) {
  const menu = useRef();
  const [place, setPlace] = useState(null);
  useEffect(() => {
    const before = document.activeElement;
    const box = menu.current.getBoundingClientRect();
    setPlace({
      left: Math.max(8, Math.min(at.x, innerWidth - box.width - 8)),
      top: at.y + box.height > innerHeight - 8 ? Math.max(8, innerHeight - box.height - 8) : at.y,
    });
    menu.current.querySelector('[role=menuitem]')?.focus();
    const outside = (event) => menu.current?.contains(event.target) || onClose();
    addEventListener('pointerdown', outside, true);
    addEventListener('resize', onClose);
    return () => {
      removeEventListener('pointerdown', outside, true);
      removeEventListener('resize', onClose);
      if (menu.current?.contains(document.activeElement) || document.activeElement === document.body)
        before?.focus?.({ preventScroll: true });
    };
  }, []);
  const onKeyDown = (event) => {
    const all = [...menu.current.querySelectorAll('[role=menuitem]')];
    const i = all.indexOf(document.activeElement);
    const next = { ArrowDown: i + 1, ArrowUp: i - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    event.stopPropagation();
    if (next !== undefined) {
      event.preventDefault();
      all[next % all.length].focus();
    } else if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault();
      onClose();
    }
  };
  return (
    <div
      class="menu"
      role="menu"
      aria-label={label}
      ref={menu}
      onKeyDown={onKeyDown}
      style={place ? { left: `${place.left}px`, top: `${place.top}px` } : { opacity: 0, left: 0, top: 0 }}
    >
      {items.map((item, i) =>
        item === null ? (
          <hr key={i} />
        ) : (
          <button
            key={i}
            type="button"
            role="menuitem"
            class={item.kind ?? ''}
            disabled={item.isOff}
            onClick={() => {
              onClose();
              item.does();
            }}
          >
            <span>{item.label}</span>
            {item.key && <kbd>{item.key}</kbd>}
          </button>
        ),
      )}
    </div>
  );
}

export function Sayings() {
  return (
    <div class="sayings" role="status" aria-live="polite">
      {sayings.value.map(({ id, text, isBad, undo, label }) => (
        <div key={id} class={`saying ${isBad ? 'bad' : ''}`}>
          <span>{text}</span>
          {undo && (
            <Button
              kind="small"
              onClick={() => {
                unsay(id);
                undo();
              }}
            >
              {label}
            </Button>
          )}
          <IconButton icon="close" label="Dismiss" onClick={() => unsay(id)} />
        </div>
      ))}
    </div>
  );
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied ${what}.`);
  } catch {
    say(`The browser does not let this page copy. It is: ${text.slice(0, 500)}`, { isBad: true });
  }
}

export function save(name, parts, type = 'application/json') {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, '_') || 'export.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export const Snippet = ({ label, text }) => (
  <div class="snippet">
    <div>
      <span>{label}</span>
      <IconButton icon="copy" label={`Copy ${label}`} onClick={() => copy(text, label)} />
    </div>
    <pre tabIndex={0} aria-label={label}>
      {text}
    </pre>
  </div>
);

// What went wrong; nothing, when nothing did.
export const Trouble = ({ text, isCard }) =>
  text ? (
    <p class={isCard ? 'error card' : 'error'} role="alert">
      {text}
    </p>
  ) : null;

// A table that scrolls by itself. `heads`: texts; one that begins with "#" stands above numbers, "" above what can be done.
export const Table = ({ label, heads, children }) => (
  <div class="scroll" tabIndex={0} role="region" aria-label={label}>
    <table>
      <thead>
        <tr>
          {heads.map((head) => (
            <th key={head} scope="col" class={head.startsWith('#') ? 'number' : undefined}>
              {head === '' ? <span class="unseen">Actions</span> : head.replace('#', '')}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </div>
);

export const Tile = ({ label, value, kind = '' }) => (
  <div class={`tile ${kind}`}>
    <span>{label}</span>
    <b>{value}</b>
  </div>
);

export function Empty({ title, children }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      <p>{children}</p>
    </div>
  );
}

export const ForAdmins = ({ what }) => (
  <section class="page">
    <Empty title={`${what} is for admins`}>
      Sign in with the admin secret, which is in the file <code>admin-secret</code> of the server’s data folder, to see
      it.
    </Empty>
  </section>
);

export const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });
export const moment = (time) =>
  new Date(time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium', hour12: false });
export const count = (number) => Number(number).toLocaleString('en');
export const few = (number, word) => `${count(number)} ${word}${number === 1 ? '' : 's'}`;
export function bytes(number) {
  if (!(number >= 1000)) return `${Math.round(number)} B`;
  const power = Math.min(4, Math.floor(Math.log10(number) / 3));
  const scaled = number / 1000 ** power;
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
}
export function seconds(number) {
  if (!(number > 0)) return '0';
  if (number < 0.001) return `${Math.round(number * 1e6)} µs`;
  return number < 1 ? `${(number * 1e3).toFixed(number < 0.01 ? 1 : 0)} ms` : `${number.toFixed(1)} s`;
}
export function age(all) {
  if (all < 60) return `${Math.floor(all)} s`;
  if (all < 3600) return `${Math.floor(all / 60)} min`;
  return all < 172_800
    ? `${Math.floor(all / 3600)} h ${Math.floor((all % 3600) / 60)} min`
    : `${Math.floor(all / 86_400)} days`;
}

// Where the page is (after the # of its URL, which no server sees), who looks, and what is said at the bottom of the
// page.
import { computed, effect, signal } from '@preact/signals';
import { admin, credential, namespace, Refused, request, viewAs } from './api.js';
import { parsePath, textOf } from './path.js';

export const pages = [
  'data',
  'query',
  'rules',
  'history',
  'activity',
  'people',
  'channels',
  'documents',
  'webhooks',
  'health',
  'spaces',
  'cluster', // where there is one
];

// ---- the route

// The page may have been asked for as that of one namespace: /ns/NAME/.console.
const own = /^\/ns\/([^/]+)\/\.console/.exec(location.pathname)?.[1];

function read() {
  const [name, rest] = location.hash.replace(/^#\/?/, '').split('?');
  const parameters = new URLSearchParams(rest ?? '');
  return {
    page: pages.includes(name) ? name : 'data',
    path: parsePath(parameters.get('path') ?? '/'),
    namespace: parameters.get('ns') ?? (own === undefined ? '' : decodeURIComponent(own)),
  };
}
const first = read();
export const page = signal(first.page);
export const path = signal(first.path);
namespace.value = first.namespace;

export function hrefOf(to, at = path.value, space = namespace.value) {
  const parameters = new URLSearchParams();
  if (space !== '') parameters.set('ns', space);
  if (at.length > 0) parameters.set('path', textOf(at));
  const text = parameters.toString();
  return `#${to}${text === '' ? '' : `?${text}`}`;
}
export const go = (to, at = path.value, space = namespace.value) => {
  location.hash = hrefOf(to, at, space);
};
addEventListener('hashchange', () => {
  const to = read();
  page.value = to.page;
  path.value = to.path;
  if (to.namespace !== '') namespace.value = to.namespace;
});

// What the page Rules shall ask first: { does, uid }, uid null for who is signed out; null: nothing in particular.
export const question = signal(null);

// ---- the session

// 'loading' until it is known whether anybody must sign in; then 'in' or 'out'.
export const session = signal({ is: 'loading' });
export const about = signal({ version: '', dev: false, namespace: '' });
export const isAdmin = computed(() => session.value.is === 'in' && session.value.admin);
export const spaces = signal(null); // names; null: only admins are told
export const cluster = signal(false); // whether the server is part of one; only admins are told
const kClusterAsked = 500; // milliseconds after the sign-in
const kKept = 'hearth-console';

async function loadCluster() {
  const answer = await request('GET', '/.inspect/cluster', { own: true });
  cluster.value = answer.ok;
}

export async function loadSpaces() {
  const { value } = await admin('GET', '/.inspect/databases.json');
  spaces.value = value.map(({ name }) => name);
  if (namespace.value === '')
    namespace.value = about.value.namespace || spaces.value[0] || (about.value.dev ? 'default' : '');
}

// Whether the server takes that credential, and as whom. Throws what the server says if not.
export async function signIn(token, isKept, space = '') {
  const before = credential.value;
  credential.value = token;
  try {
    await loadSpaces();
    session.value = { is: 'in', admin: true };
    // The tree comes first, unless this is what somebody wants to see.
    setTimeout(() => loadCluster().catch(() => {}), page.value === 'cluster' ? 0 : kClusterAsked);
  } catch (error) {
    // A user is told no names, so has to say one; its token is tried there.
    const isUser = error instanceof Refused && /permission denied/i.test(error.message) && token !== null;
    if (!isUser) {
      credential.value = before;
      throw error;
    }
    namespace.value = space || namespace.value || about.value.namespace;
    spaces.value = null;
    session.value = { is: 'in', admin: false };
  }
  try {
    if (isKept) sessionStorage.setItem(kKept, token);
    else sessionStorage.removeItem(kKept);
  } catch {
    // where storage is forbidden, it is kept in memory alone
  }
}

export function signOut() {
  try {
    sessionStorage.removeItem(kKept);
  } catch {
    // nothing was kept
  }
  credential.value = null;
  viewAs.value = null;
  spaces.value = null;
  cluster.value = false;
  session.value = { is: 'out' };
}

export async function begin() {
  try {
    about.value = await (await request('GET', '/.console/about.json', { own: true })).json();
  } catch {
    session.value = { is: 'out' };
    return say('The server cannot be reached.', { isBad: true });
  }
  let kept = null;
  try {
    kept = sessionStorage.getItem(kKept);
  } catch {
    // none
  }
  for (const token of [kept, about.value.dev ? 'owner' : null]) {
    if (token === null) continue;
    try {
      await signIn(token, token === kept);
      return;
    } catch {
      // it is no good any more: the next one, or the form
    }
  }
  session.value = { is: 'out' };
}

// ---- words at the bottom

// A few lines; each may offer to undo. They go by themselves, those that offer something later.
export const sayings = signal([]);
let count = 0;
export function say(text, { isBad = false, undo, label = 'Undo' } = {}) {
  const id = ++count;
  sayings.value = [...sayings.value.slice(-3), { id, text, isBad, undo, label }];
  setTimeout(() => unsay(id), undo ? 20_000 : isBad ? 12_000 : 5_000);
}
export const unsay = (id) => {
  sayings.value = sayings.value.filter((one) => one.id !== id);
};
// Runs an action of a person; what the server says against it is said.
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    if (error.name !== 'AbortError') say(error.message, { isBad: true });
    return undefined;
  }
}

// ---- light and dark

export const theme = signal('auto');
try {
  theme.value = localStorage.getItem('hearth-theme') ?? 'auto';
} catch {
  // as the system has it
}
const prefersDark = matchMedia('(prefers-color-scheme: dark)');
const system = signal(prefersDark.matches);
prefersDark.addEventListener('change', () => (system.value = prefersDark.matches));
export const isDark = computed(() => (theme.value === 'auto' ? system.value : theme.value === 'dark'));
effect(() => {
  document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light';
  try {
    if (theme.value === 'auto') localStorage.removeItem('hearth-theme');
    else localStorage.setItem('hearth-theme', theme.value);
  } catch {
    // it is chosen again next time
  }
});

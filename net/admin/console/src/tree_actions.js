// What people do to a place. Each change is made only if the place still is what they saw, and can be taken back as
// long as it is what they made of it (ETags, if-match).
import { admin, data, exportOf, namespace, Refused } from './api.js';
import { textOf, toJson } from './path.js';
import { attempt, isAdmin, say } from './state.js';
import { copy, save } from './ui.jsx';

const kUndoBytesMax = 4_000_000; // of a value that the page keeps, to put it back

export const exported = { format: 'export' };
export const nothing = 'null_etag';

// The value as it is, with priorities, and its ETag.
export const read = (path) => data('GET', path, { query: exported, wantsEtag: true });

const isStale = (error) => error instanceof Refused && error.status === 412;
const shown = (value) => {
  const text = toJson(value) ?? 'null';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
};

async function putBack(path, value, etag) {
  try {
    if (value === null) await data('DELETE', path, { etag });
    else await data('PUT', path, { value, etag });
    say(`${textOf(path)} is as it was.`);
  } catch (error) {
    say(
      isStale(error)
        ? `${textOf(path)} has changed since, so it was not put back. It is now ${shown(error.body)}.`
        : error.message,
      { isBad: true },
    );
  }
}

// `before`: what read() gave. Throws when it has changed meanwhile.
export async function set(path, value, before) {
  let done;
  try {
    done = await data('PUT', path, { value, etag: before.etag ?? nothing, wantsEtag: true });
  } catch (error) {
    if (!isStale(error)) throw error;
    throw new Error(`It was changed meanwhile, to ${shown(error.body)}. Nothing was written.`);
  }
  say(value === null ? `Deleted ${textOf(path)}.` : `Saved ${textOf(path)}.`, {
    undo: () => putBack(path, before.value, value === null ? nothing : done.etag),
  });
}

// How many bytes are there, or nothing when only an admin may know.
export async function size(path) {
  if (!isAdmin.value) return undefined;
  try {
    const { value } = await admin('GET', '/.inspect/stats.json', {
      query: { ns: namespace.value, path: textOf(path) },
    });
    return value.sizes.find((one) => one.path === textOf(path));
  } catch {
    return undefined;
  }
}

// Whether what is there is too large to be kept by the page for an undo.
export const isLarge = (measured) => measured !== undefined && measured.bytes > kUndoBytesMax;

export async function remove(path, { keep = true } = {}) {
  if (!keep) {
    await data('DELETE', path, { query: { print: 'silent' } });
    return say(`Deleted ${textOf(path)}.`);
  }
  const before = await read(path);
  if (before.value === null) return say(`Nothing is at ${textOf(path)}.`);
  return set(path, null, before);
}

// In one commit: what is at `from` is then at `to`, where nothing was.
export async function move(from, to) {
  if (to.length === 0 || from.length === 0) throw new Error('The root stays where it is.');
  if (textOf(to) === textOf(from)) return;
  if (`${textOf(to)}/`.startsWith(`${textOf(from)}/`) || `${textOf(from)}/`.startsWith(`${textOf(to)}/`)) {
    throw new Error('A place cannot move into itself, nor onto what it is in.');
  }
  const there = await data('GET', to, { query: { orderBy: '"$key"', limitToFirst: 1, shallow: 'true' } });
  const leaf = there.value ?? (await data('GET', to, { query: { shallow: 'true' } })).value;
  if (leaf !== null) throw new Error(`Something is at ${textOf(to)} already.`);
  const { value, etag } = await read(from);
  if (value === null) throw new Error(`Nothing is at ${textOf(from)} any more.`);
  const shift = (source, target, one, tag) =>
    data('PATCH', [], {
      value: { [target.join('/')]: one, [source.join('/')]: null },
      etag: tag,
      query: { ifMatchAt: source.join('/') },
    });
  await shift(from, to, value, etag);
  say(`Moved ${textOf(from)} to ${textOf(to)}.`, {
    undo: async () => {
      try {
        const now = await read(to);
        if (now.etag !== etag) throw new Error(`${textOf(to)} has changed since, so it stays.`);
        await shift(to, from, value, etag);
        say(`${textOf(from)} is where it was.`);
      } catch (error) {
        say(error.message, { isBad: true });
      }
    },
  });
}

// Only while the place is what it was: a write of its priority alone has no condition, so it is an update of the root with one.
async function writePriority(path, priority, etag) {
  try {
    await data('PATCH', [], {
      value: { [`${path.join('/')}/.priority`]: priority },
      etag,
      query: { ifMatchAt: path.join('/') },
    });
  } catch (error) {
    if (!isStale(error)) throw error;
    throw new Error(`${textOf(path)} was changed meanwhile, so its priority is left as it is.`);
  }
}
const etagOf = async (path) => (await data('HEAD', path, { wantsEtag: true })).etag;

export async function setPriority(path, priority) {
  const where = textOf(path);
  if (path.length === 0 || isLarge(await size(path))) {
    await data(priority === null ? 'DELETE' : 'PUT', [...path, '.priority'], { value: priority ?? undefined });
    return say(`Set the priority of ${where}.`);
  }
  const etag = await etagOf(path);
  const { value: before } = await data('GET', [...path, '.priority']);
  await writePriority(path, priority, etag);
  const done = await etagOf(path);
  return say(`Set the priority of ${where}.`, {
    undo: () =>
      attempt(async () => {
        await writePriority(path, before, done);
        say(`The priority of ${where} is as it was.`);
      }),
  });
}

export async function exportAt(path) {
  const answer = await exportOf(path);
  save(`${path[path.length - 1] ?? namespace.value}.json`, [await answer.blob()]);
}

export async function copyValue(path) {
  const answer = await exportOf(path);
  await copy((await answer.text()).trimEnd(), 'the value');
}

// JSON that was pasted or dropped: instead of what is there, or its children beside those that are.
export async function bring(path, value, how) {
  if (how === 'merge') {
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw new Error('Only an object can be merged.');
    await data('PATCH', path, { value, query: { print: 'silent' } });
    return say(`Merged ${Object.keys(value).length} children into ${textOf(path)}.`);
  }
  if (isLarge(await size(path))) {
    await data('PUT', path, { value, query: { print: 'silent' } });
    return say(`Replaced ${textOf(path)}.`);
  }
  return set(path, value, await read(path));
}

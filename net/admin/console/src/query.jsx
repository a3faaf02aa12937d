// The page "Query": some children of a place, in an order, within bounds; and how to ask the same from elsewhere.
import { useEffect, useState } from 'preact/hooks';
import { admin, data, namespace, viewAs } from './api.js';
import { compareKeys, parseJson, parsePath, Raw, textOf, toJson, urlOf } from './path.js';
import { go, hrefOf, isAdmin, path, session } from './state.js';
import { Button, count, Field, Snippet, Trouble } from './ui.jsx';

const kShown = 500;

// One bound: with what stands there, or without.
const Bound = ({ label, name, words, text, isWithout, isOff, setText, setWithout }) => (
  <Field label={label}>
    <span class="pair bound">
      <select
        aria-label={`${label}: with it or without`}
        value={words[isWithout ? 1 : 0]}
        disabled={isOff}
        onChange={(event) => setWithout(event.target.value === words[1])}
      >
        {words.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <input class="code" aria-label={name} value={text} disabled={isOff} spellcheck={false} onInput={setText} />
    </span>
  </Field>
);

// What a bound means as it was typed: JSON, or else a text; of an order by several children one for each, with commas between.
function boundOf(text, by) {
  if (by === '$key') return text;
  const bare = (one) => {
    try {
      return parseJson(one);
    } catch {
      return one;
    }
  };
  if (!Array.isArray(by)) return bare(text);
  const whole = bare(text.trim().startsWith('[') ? text : `[${text}]`);
  return Array.isArray(whole) ? whole : text.split(',').map((one) => bare(one.trim()));
}

// The parameters of REST. Throws what cannot be asked.
export function parametersOf({ order, child, from, isBehind, upto, isBefore, equal, limit, first, counts }) {
  const children = child
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  if (order === 'child' && children.length === 0) throw new Error('Which child is it ordered by?');
  const by = order === 'child' ? (children.length > 1 ? children : children[0]) : order;
  const query = { orderBy: toJson(by) };
  if (equal !== '') query.equalTo = toJson(boundOf(equal, by));
  else {
    if (from !== '') query[isBehind ? 'startAfter' : 'startAt'] = toJson(boundOf(from, by));
    if (upto !== '') query[isBefore ? 'endBefore' : 'endAt'] = toJson(boundOf(upto, by));
  }
  if (counts) query.count = 'true';
  else if (limit !== '') query[first ? 'limitToFirst' : 'limitToLast'] = limit;
  return query;
}

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

export function snippetsOf(at, query) {
  const parameters = new URLSearchParams({ ns: namespace.value, ...query });
  const url = `${location.origin}${urlOf(at)}.json?${parameters}`;
  const order = parseJson(query.orderBy);
  const parts = [];
  if (order === '$key') parts.push('orderByKey()');
  else if (order === '$value') parts.push('orderByValue()');
  else if (order === '$priority') parts.push('orderByPriority()');
  else parts.push(`orderByChild(${toJson(order)})`);
  for (const bound of ['equalTo', 'startAt', 'startAfter', 'endAt', 'endBefore'])
    if (query[bound] !== undefined) parts.push(`${bound}(${query[bound]})`);
  for (const limit of ['limitToFirst', 'limitToLast'])
    if (query[limit] !== undefined) parts.push(`${limit}(${query[limit]})`);
  const names = ['get', 'query', 'ref', ...parts.map((part) => part.slice(0, part.indexOf('(')))];
  const sdk = Array.isArray(order)
    ? '// The SDKs have no order by several children: use REST.'
    : query.count !== undefined
      ? '// The SDKs have no count: use REST.'
      : `import { ${names.join(', ')} } from 'firebase/database';\n\nconst found = await get(query(ref(database, ${toJson(textOf(at))}), ${parts.join(', ')}));`;
  const flags = {
    orderBy: '--order-by',
    startAt: '--start-at',
    startAfter: '--start-after',
    endAt: '--end-at',
    endBefore: '--end-before',
    equalTo: '--equal-to',
    limitToFirst: '--limit-to-first',
    limitToLast: '--limit-to-last',
  };
  const words = Object.entries(query)
    .filter(([name]) => flags[name])
    .map(([name, value]) => `${flags[name]} ${quoted(name === 'orderBy' && !Array.isArray(order) ? order : value)}`);
  if (query.count !== undefined) words.push('--count');
  const command = `hearth get ${quoted(textOf(at))} --url ${location.origin} --ns ${namespace.value} ${words.join(' ')}`;
  return { url: `curl -g ${quoted(url)}`, sdk, command };
}

function Found({ at, value, entries }) {
  if (value === null || typeof value !== 'object' || value instanceof Raw)
    return (
      <p class="number">
        {value === null ? 'Nothing.' : typeof value === 'number' || value instanceof Raw ? count(value) : toJson(value)}
      </p>
    );
  const isTable = entries.some(([, one]) => one !== null && typeof one === 'object');
  const columns = isTable
    ? [
        ...new Set(
          entries
            .slice(0, kShown)
            .flatMap(([, one]) => (one !== null && typeof one === 'object' ? Object.keys(one) : [])),
        ),
      ].slice(0, 12)
    : ['value'];
  const cell = (one, column) => {
    const part = isTable ? (one !== null && typeof one === 'object' ? one[column] : undefined) : one;
    const text = part === undefined ? '' : toJson(part);
    return text.length > 200 ? `${text.slice(0, 200)}…` : text;
  };
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="What was found">
      <table>
        <thead>
          <tr>
            <th scope="col">Key</th>
            {columns.map((column) => (
              <th scope="col" key={column} dir="auto">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {entries.slice(0, kShown).map(([key, one]) => (
            <tr key={key}>
              <th scope="row" dir="auto">
                <a href={hrefOf('data', [...at, key])}>{key}</a>
              </th>
              {columns.map((column) => (
                <td key={column} dir="auto">
                  {cell(one, column)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {entries.length > kShown && <p>And {count(entries.length - kShown)} more.</p>}
    </div>
  );
}

// The children in the order of the query, as [key, value]: JSON has the keys in their own.
export function ordered(value, query) {
  if (value === null || typeof value !== 'object' || value instanceof Raw) return null;
  const order = parseJson(query.orderBy);
  if (order === '$key' || order === '$priority') return Object.entries(value).sort(([a], [b]) => compareKeys(a, b));
  const paths = order === '$value' ? [[]] : [order].flat().map(parsePath);
  const at = (one, keys) =>
    keys.reduce((part, key) => (part !== null && typeof part === 'object' ? (part[key] ?? null) : null), one);
  const rank = (one) =>
    one === null
      ? 0
      : one === false
        ? 1
        : one === true
          ? 2
          : typeof one === 'number' || one instanceof Raw
            ? 3
            : typeof one === 'string'
              ? 4
              : 5;
  const compare = (a, b) =>
    rank(a) - rank(b) || (rank(a) === 3 ? Number(a) - Number(b) : rank(a) === 4 ? (a < b ? -1 : a > b ? 1 : 0) : 0);
  return Object.entries(value).sort(([, a], [, b]) => {
    for (const keys of paths) {
      const difference = compare(at(a, keys), at(b, keys));
      if (difference !== 0) return difference;
    }
    return 0;
  });
}

// Orders by a child, or by several, that have an index at that path: "sent", "author/id,sent". Admins are told.
function useOrders(at) {
  const [indexes, setIndexes] = useState([]);
  useEffect(() => {
    if (!isAdmin.value) return;
    admin('GET', '/.inspect/indexes.json', { query: { ns: namespace.value } }).then(
      ({ value }) => setIndexes(Object.values(value ?? {})),
      () => {}, // they are only suggested
    );
  }, [namespace.value, session.value]);
  const fits = (pattern) =>
    pattern.length === at.length && pattern.every((key, i) => key.startsWith('$') || key === at[i]);
  return indexes.filter((one) => one.by !== '.value' && fits(parsePath(one.at))).map((one) => one.by);
}

export function QueryPage() {
  const [where, setWhere] = useState(textOf(path.value));
  const [asked, setAsked] = useState({
    order: '$key',
    child: '',
    from: '',
    isBehind: false,
    upto: '',
    isBefore: false,
    equal: '',
    limit: '50',
    first: true,
    counts: false,
  });
  const [answer, setAnswer] = useState(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => setWhere(textOf(path.value)), [path.value]);
  useEffect(() => setAnswer(null), [namespace.value, viewAs.value]);
  const change = (name) => (event) =>
    setAsked({ ...asked, [name]: event.target.type === 'checkbox' ? event.target.checked : event.target.value });
  let query = null;
  let why = '';
  try {
    query = parametersOf(asked);
  } catch (error) {
    why = error.message;
  }
  const at = parsePath(where);
  const orders = useOrders(at);
  const run = async (event) => {
    event.preventDefault();
    if (query === null) return setAnswer({ error: why });
    setBusy(true);
    const begin = performance.now();
    try {
      const { value } = await data('GET', at, { query });
      setAnswer({ at, value, entries: ordered(value, query), took: performance.now() - begin });
    } catch (error) {
      setAnswer({ error: error.message });
    }
    setBusy(false);
    return undefined;
  };
  const boundOfSide = (text, without) => ({
    text: asked[text],
    isWithout: asked[without],
    isOff: asked.equal !== '',
    setText: change(text),
    setWithout: (is) => setAsked({ ...asked, [without]: is }),
  });
  const snippets = query === null ? null : snippetsOf(at, query);
  const found = answer?.entries?.length;
  return (
    <section class="page" aria-label="Query">
      <form class="card form" onSubmit={run}>
        <Field label="Children of" wide>
          <input class="code" value={where} spellcheck={false} onInput={(event) => setWhere(event.target.value)} />
        </Field>
        <Field label="Order">
          <select value={asked.order} onChange={change('order')}>
            <option value="$key">by key</option>
            <option value="child">by a child</option>
            <option value="$value">by value</option>
            <option value="$priority">by priority</option>
          </select>
        </Field>
        {asked.order === 'child' && (
          <Field
            label="Child"
            hint={
              orders.length > 0
                ? `A path below each. With an index: ${orders.map((one) => one.replaceAll(',', ', ')).join('; ')}.`
                : 'A path below each; several with commas want an index of their own.'
            }
          >
            <input
              class="code"
              value={asked.child}
              spellcheck={false}
              placeholder={orders[0] ?? 'sent'}
              list="orders"
              onInput={change('child')}
            />
            <datalist id="orders">
              {orders.map((one) => (
                <option key={one} value={one} />
              ))}
            </datalist>
          </Field>
        )}
        <Bound label="Lower bound" name="From" words={['from', 'behind']} {...boundOfSide('from', 'isBehind')} />
        <Bound label="Upper bound" name="Up to" words={['up to', 'before']} {...boundOfSide('upto', 'isBefore')} />
        <Field label="Or equal to">
          <input class="code" value={asked.equal} onInput={change('equal')} />
        </Field>
        <Field label="Limit">
          <span class="pair">
            <select
              aria-label="Which end"
              value={asked.first ? 'first' : 'last'}
              disabled={asked.counts}
              onChange={(event) => setAsked({ ...asked, first: event.target.value === 'first' })}
            >
              <option value="first">first</option>
              <option value="last">last</option>
            </select>
            <input
              type="number"
              min="1"
              aria-label="How many"
              value={asked.limit}
              disabled={asked.counts}
              onInput={change('limit')}
            />
          </span>
        </Field>
        <label class="check">
          <input type="checkbox" checked={asked.counts} onChange={change('counts')} /> Only count them
        </label>
        <button type="submit" class="button main" disabled={isBusy}>
          Run
        </button>
        <Button onClick={() => go('data', at)}>Show in the tree</Button>
      </form>
      <Trouble text={answer?.error} isCard />
      {/index/i.test(answer?.error ?? '') && isAdmin.value && (
        <p class="note">
          Indexes are declared in the <a href={hrefOf('rules', at)}>rules</a>, and those of several children among the{' '}
          <a href={hrefOf('spaces')}>settings</a>.
        </p>
      )}
      {answer && !answer.error && (
        <div class="card">
          <h2>
            {found === undefined ? 'Answer' : `${count(found)} found`}
            <small> in {answer.took.toFixed(0)} ms</small>
          </h2>
          <Found {...answer} />
        </div>
      )}
      {snippets && (
        <div class="card snippets">
          <h2>The same from elsewhere</h2>
          <p class="note">
            As they stand, the rules judge them as somebody signed out. With a credential: <code>-H 'Authorization: Bearer …'</code>{' '}
            for curl, <code>--token …</code> for the command, which finds the admin secret of a server on its own
            machine by itself.
          </p>
          <Snippet label="REST" text={snippets.url} />
          <Snippet label="Firebase SDK" text={snippets.sdk} />
          <Snippet label="Command" text={snippets.command} />
        </div>
      )}
    </section>
  );
}

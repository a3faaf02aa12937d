// Which indexes there are, how far each is built, and which queries went without one.
import { admin, namespace } from './api.js';
import { parsePath } from './path.js';
import { usePolled } from './poll.js';
import { hrefOf, session } from './state.js';
import { clock, copy, count, IconButton, Table, Trouble } from './ui.jsx';

const kEvery = 4_000;
const orderOf = ({ by }) => [by].flat().join(', ');

// `built`: the path up to which children have their rows.
function State({ one }) {
  if (one.complete) return one.covers ? 'complete, with copies' : 'complete';
  if (one.planned) return 'planned';
  return (
    <>
      being built{one.built !== undefined && (
        <>
          , up to <code dir="auto">{one.built}</code>
        </>
      )}
    </>
  );
}

// What goes into the rules, beside those of that path.
const wantOf = (one) => (Array.isArray(one.by) ? (one.wants ?? '') : `".indexOn": ${JSON.stringify(one.by)}`);

function Wanting({ total, queries }) {
  return (
    <div class="card">
      <h2>
        Queries without an index <small>{count(total)}</small>
      </h2>
      {queries.length === 0 ? (
        <p>None was asked since the server began.</p>
      ) : (
        <Table label="Queries without an index" heads={['At', 'Wants', '#Times', 'Last', '']}>
          {queries.map((one, i) => (
            <tr key={i}>
              <th scope="row" dir="auto">
                <a href={hrefOf('query', parsePath(one.path))}>{one.path}</a>
              </th>
              <td>
                <code dir="auto">{wantOf(one) || `an order by ${orderOf(one)}`}</code>
              </td>
              <td class="number">{count(one.times)}</td>
              <td class="time">{clock(one.last)}</td>
              <td class="actions">
                <IconButton
                  icon="copy"
                  label={`Copy what ${one.path} wants`}
                  onClick={() => copy(one.wants ?? wantOf(one), 'the line for the rules')}
                />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </div>
  );
}

async function look(space, signal) {
  const query = { ns: space };
  const [there, wanting] = await Promise.all([
    admin('GET', '/.inspect/indexes.json', { query, signal }),
    admin('GET', '/.inspect/unindexed.json', { query, signal }).catch((error) => {
      if (error.status !== 404) throw error;
      return { value: null };
    }),
  ]);
  return { there: there.value ?? [], wanting: wanting.value };
}

export function Indexes() {
  const space = namespace.value;
  const { value: found, error } = usePolled((signal) => look(space, signal), kEvery, [space, session.value]);
  return (
    <>
      <div class="card">
        <h2>Indexes</h2>
        <Trouble text={error} />
        {found?.there.length === 0 && (
          <p>
            None is declared. A query by a child wants one: <code>".indexOn": ["sent"]</code> beside the rules of its
            collection.
          </p>
        )}
        {found?.there.length > 0 && (
          <Table label="Indexes" heads={['Of', 'By', 'State']}>
            {found.there.map((one, i) => (
              <tr key={i}>
                <th scope="row" dir="auto">
                  {one.at}
                </th>
                <td dir="auto">{orderOf(one)}</td>
                <td>
                  <State one={one} />
                </td>
              </tr>
            ))}
          </Table>
        )}
      </div>
      {found !== null && found.wanting !== null && <Wanting {...found.wanting} />}
    </>
  );
}

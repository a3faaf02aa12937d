// The page "Cluster", where there is one: its nodes, who owns which shard and how far the others are behind, what is true of the
// engine, and what an operator may ask for. The server looks at its board four times a second; nothing is asked of other nodes.
import { useState } from 'preact/hooks';
import { admin } from './api.js';
import { usePolled } from './poll.js';
import { attempt, cluster, isAdmin, say, session } from './state.js';
import { age, Button, count, Empty, few, Field, ForAdmins, FormDialog, seconds, Table, Tile, Trouble } from './ui.jsx';

const kEvery = 1_000;
const kPath = '/.inspect/cluster';

const ask = (body, words) => async () => {
  await admin('POST', kPath, { body: JSON.stringify(body) });
  say(words);
};

// How many batches of a shard are not yet on the disk of each node that has not all of them: [name, number].
export const behind = ({ sequence, durable }) =>
  Object.entries(durable)
    .map(([name, at]) => [name, Math.max(0, sequence - at)])
    .filter(([, number]) => number > 0);

// What is wrong with a node, in a word; 'up' when nothing is.
export function stateOf(node) {
  if (!node.alive) return `not heard of for ${seconds(node.unmoved_ms / 1000)}`;
  if (node.drained) return node.owns > 0 ? 'draining' : 'drained';
  return node.bus === 'down' ? 'cannot be reached from here' : 'up';
}

const hereOf = { owns: 'owned', follows: 'followed', taking: 'being taken', leaving: 'being left', seeding: 'being copied' };

// ---- what can be asked for

function Move({ shard, nodes, onClose, onDone }) {
  const others = nodes.filter(({ name, alive, drained }) => name !== shard.owner && alive && !drained);
  const [to, setTo] = useState(others[0]?.name ?? '');
  const does = async () => {
    await ask({ move: shard.shard, to }, `Asked for: shard ${shard.shard} goes to ${to}.`)();
    onDone();
  };
  return (
    <FormDialog
      title={`Move shard ${shard.shard}`}
      onClose={onClose}
      does={does}
      label="Move it"
      isOff={others.length === 0}
    >
      <p>
        {shard.owner === '' ? 'Nobody has it now.' : `${shard.owner} has it now.`} Clients of its namespaces wait for some
        tenths of a second, and then go on at the other node.
      </p>
      {others.length === 0 ? (
        <p>No other node is up and may own something.</p>
      ) : (
        <Field label="To">
          <select value={to} onChange={(event) => setTo(event.target.value)}>
            {others.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </Field>
      )}
    </FormDialog>
  );
}

const questions = {
  drain: {
    title: (name) => `Drain ${name}?`,
    words: 'All of its shards go to other nodes, one after the other, and it takes none until that is undone. It goes on following.',
    label: 'Drain it',
    kind: 'main',
    said: (name) => `Asked for: ${name} is drained.`,
    body: (name) => ({ drain: name }),
  },
  forget: {
    title: (name) => `Forget ${name}?`,
    words: 'For a node that does not come back: the log is not kept for it any more. If it starts again, it has to be made anew.',
    label: 'Forget it',
    kind: 'danger',
    said: (name) => `Asked for: ${name} is forgotten.`,
    body: (name) => ({ forget: name }),
  },
  reseed: {
    title: (name) => `Take ${name}’s shards anew?`,
    words: 'This node drops what it has of the shards that it does not own, and copies them from the others. That may take a while.',
    label: 'Take them anew',
    kind: 'danger',
    said: (name) => `Asked for: ${name} copies its shards.`,
    body: () => ({ reseed: true }),
  },
};

function Ask({ what, name, onClose, onDone }) {
  const { title, words, label, kind, said, body } = questions[what];
  const does = async () => {
    await ask(body(name), said(name))();
    onDone();
  };
  return (
    <FormDialog title={title(name)} onClose={onClose} does={does} label={label} kind={kind}>
      <p>{words}</p>
    </FormDialog>
  );
}

// ---- what there is

function Engine({ found }) {
  const { engine } = found;
  const all = [...engine.wrong, ...engine.warnings];
  return (
    <div class="card">
      <h2>
        Engine <small>checked {seconds(engine.checked_ms / 1000)} ago</small>
      </h2>
      {!found.good && (
        <Trouble
          text={`${found.node} does not hear from the engine, or its beat stands still: for ${seconds(found.stale_ms / 1000)}. It writes nothing until it does.`}
        />
      )}
      {engine.wrong.map((line) => (
        <Trouble key={line} text={line} />
      ))}
      {engine.warnings.length > 0 && (
        <ul class="plain" aria-label="Warnings">
          {engine.warnings.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      {all.length === 0 && found.good && <p>Nothing is wrong with it.</p>}
    </div>
  );
}

function Nodes({ nodes, open, again }) {
  return (
    <div class="card">
      <h2>Nodes</h2>
      <Table label="Nodes" heads={['Name', 'State', 'For nodes', 'For clients', '#Owns', '#Behind', '']}>
        {nodes.map((node) => (
          <tr key={node.name}>
            <th scope="row">
              {node.name}
              {node.self && <span class="badge">this one</span>}
            </th>
            <td>
              <span class={`badge ${!node.alive ? 'bad' : stateOf(node) === 'up' ? 'good' : ''}`}>{stateOf(node)}</span>
            </td>
            <td>
              <code>{node.peer}</code>
            </td>
            <td>{node.client === '' ? '–' : <code>{node.client}</code>}</td>
            <td class="number">{few(node.owns, 'shard')}</td>
            <td class="number">{node.behind === 0 ? '–' : few(node.behind, 'batch').replace(/batchs$/, 'batches')}</td>
            <td class="actions">
              {node.drained ? (
                <Button
                  kind="small"
                  onClick={() =>
                    attempt(async () => {
                      await ask({ undrain: node.name }, `Asked for: ${node.name} may own shards again.`)();
                      again();
                    })
                  }
                  aria-label={`Undrain ${node.name}`}
                >
                  Undrain
                </Button>
              ) : (
                <Button
                  kind="small"
                  onClick={() => open({ what: 'drain', name: node.name })}
                  aria-label={`Drain ${node.name}`}
                >
                  Drain
                </Button>
              )}
              {!node.alive && (
                <Button
                  kind="small danger"
                  onClick={() => open({ what: 'forget', name: node.name })}
                  aria-label={`Forget ${node.name}`}
                >
                  Forget
                </Button>
              )}
              {node.self && (
                <Button
                  kind="small"
                  onClick={() => open({ what: 'reseed', name: node.name })}
                  aria-label={`Reseed ${node.name}`}
                >
                  Reseed
                </Button>
              )}
            </td>
          </tr>
        ))}
      </Table>
    </div>
  );
}

function Shards({ node, shards, open }) {
  const heads = ['Shard', 'Owner', `On ${node}`, '#Epoch', '#Batches', 'Behind', ''];
  return (
    <div class="card">
      <h2>Shards</h2>
      <Table label="Shards" heads={heads}>
        {shards.map((one) => (
          <tr key={one.shard}>
            <th scope="row">{one.shard}</th>
            <td>
              {one.owner === '' ? <span class="badge bad">nobody</span> : one.owner}
              {one.wish !== '' && one.wish !== one.owner && ` → ${one.wish}`}
            </td>
            <td>
              {one.here === 'stopped' ? (
                <>
                  <span class="badge bad">stopped</span> {one.why}
                </>
              ) : (
                (hereOf[one.here] ?? one.here)
              )}
            </td>
            <td class="number">{count(one.epoch)}</td>
            <td class="number">
              {count(one.sequence)}
              {one.cut > 0 && <small> from {count(one.cut + 1)} on</small>}
            </td>
            <td>
              {behind(one)
                .map(([name, number]) => `${name} by ${count(number)}`)
                .join(', ') || '–'}
            </td>
            <td class="actions">
              <Button kind="small" onClick={() => open({ what: 'move', shard: one })} aria-label={`Move shard ${one.shard}`}>
                Move…
              </Button>
            </td>
          </tr>
        ))}
      </Table>
    </div>
  );
}

const Changes = ({ changes }) => (
  <div class="card">
    <h2>What changed hands</h2>
    {changes.length === 0 ? (
      <p>Nothing since this node was started.</p>
    ) : (
      <Table label="Changes" heads={['When', 'Shard', 'From', 'To', 'Why', '#Took']}>
        {changes.map((one) => (
          <tr key={`${one.shard} ${one.from} ${one.to} ${one.why} ${one.took_ms}`}>
            <td>{age(one.ago_ms / 1000)} ago</td>
            <td>{one.shard}</td>
            <td>{one.from || '–'}</td>
            <td>{one.to || 'given up'}</td>
            <td>{one.why}</td>
            <td class="number">{seconds(one.took_ms / 1000)}</td>
          </tr>
        ))}
      </Table>
    )}
  </div>
);

export function ClusterPage() {
  const ask = isAdmin.value && cluster.value ? async (signal) => (await admin('GET', kPath, { signal })).value : null;
  const { value: found, error, again } = usePolled(ask, kEvery, [session.value, cluster.value]);
  const [open, setOpen] = useState(null); // { what, name } or { what: 'move', shard }
  if (!isAdmin.value) return <ForAdmins what="The cluster" />;
  if (!cluster.value) {
    return (
      <section class="page" aria-label="Cluster">
        <Empty title="This server is by itself">It is no part of a cluster: hearth help cluster says how it becomes one.</Empty>
      </section>
    );
  }
  const close = () => setOpen(null);
  const alive = found?.nodes.filter((node) => node.alive).length;
  const owned = found?.shards.filter(({ owner }) => owner !== '').length;
  return (
    <section class="page cluster" aria-label="Cluster">
      <Trouble text={error} isCard />
      {found !== null && (
        <>
          <div class="tiles">
            <Tile label="This node" value={found.node} kind={found.good ? 'good' : 'bad'} />
            <Tile label="Nodes up" value={`${alive} of ${found.nodes.length}`} kind={alive < found.nodes.length ? 'bad' : ''} />
            <Tile
              label="Shards that somebody owns"
              value={`${owned} of ${found.shards.length}`}
              kind={owned < found.shards.length ? 'bad' : ''}
            />
            <Tile label="Durability" value={found.engine.durability || 'not known'} />
            <Tile label="Timeline" value={count(found.engine.timeline)} />
          </div>
          <Engine found={found} />
          <Nodes nodes={found.nodes} open={setOpen} again={again} />
          <Shards node={found.node} shards={found.shards} open={setOpen} />
          <Changes changes={found.changes} />
        </>
      )}
      {open?.what === 'move' && <Move shard={open.shard} nodes={found.nodes} onClose={close} onDone={again} />}
      {open !== null && open.what !== 'move' && <Ask what={open.what} name={open.name} onClose={close} onDone={again} />}
    </section>
  );
}

// The pages "Health" (figures, charts, sizes) and "People" (who is connected, and to what).
import { useEffect, useRef, useState } from 'preact/hooks';
import { admin, namespace } from './api.js';
import { charts, latest, samples, ticks, trouble, value, watch } from './metrics.js';
import { parsePath, textOf } from './path.js';
import { attempt, hrefOf, isAdmin, isDark, path, say, session } from './state.js';
import { Button, bytes, count, Empty, Field, seconds, Trouble } from './ui.jsx';

const shows = {
  rate: (one) => (one >= 10 || one === 0 ? count(Math.round(one)) : one.toFixed(1)),
  count: (one) => count(Math.round(one)),
  bytes,
  seconds,
  percent: (one) => `${one < 10 && one > 0 ? one.toFixed(1) : Math.round(one)} %`,
};
const colors = { light: ['#c4521b', '#2f6f8f'], dark: ['#ff8f4f', '#6db6d6'] };

function ChartCard({ index }) {
  const { title, unit, series } = charts[index];
  const element = useRef();
  const chart = useRef();
  const dark = isDark.value;
  useEffect(() => {
    let isGone = false;
    import('./charts.js').then(({ Chart }) => {
      if (isGone) return;
      chart.current = new Chart(
        element.current,
        series.map(([label], i) => ({ label, color: colors[dark ? 'dark' : 'light'][i], show: shows[unit] })),
        { isDark: dark },
      );
      chart.current.set([samples.times, ...samples.of[index]]);
    });
    return () => {
      isGone = true;
      chart.current?.end();
      chart.current = undefined;
    };
  }, [dark]);
  useEffect(() => chart.current?.set([samples.times, ...samples.of[index]]), [ticks.value]);
  const now = samples.of[index].map((row) => row[row.length - 1]);
  const words = series
    .map(
      ([label], i) =>
        `${series.length > 1 ? `${label} ` : ''}${now[i] === undefined || now[i] === null ? '–' : shows[unit](now[i])}`,
    )
    .join(', ');
  return (
    <figure class="card chart" role="img" aria-label={`${title}: now ${words}`}>
      <figcaption>
        <span>{title}</span>
        <b>
          {series.map(([label], i) => (
            <span key={label} class={`now of${i}`}>
              {series.length > 1 && <small>{label} </small>}
              {now[i] === undefined || now[i] === null ? '–' : shows[unit](now[i])}
            </span>
          ))}
        </b>
      </figcaption>
      <div ref={element} />
    </figure>
  );
}

function Tile({ label, value: shown, kind = '' }) {
  return (
    <div class={`tile ${kind}`}>
      <span>{label}</span>
      <b>{shown}</b>
    </div>
  );
}

export function ForAdmins({ what }) {
  return (
    <section class="page">
      <Empty title={`${what} is for admins`}>
        Sign in with the admin secret, which is in the file <code>admin-secret</code> of the server’s data folder, to see
        it.
      </Empty>
    </section>
  );
}

export function HealthPage() {
  useEffect(() => {
    if (isAdmin.value) watch();
  }, [isAdmin.value]);
  const [sizes, setSizes] = useState(null);
  const measure = () =>
    attempt(async () => {
      setSizes(
        (await admin('GET', '/.inspect/stats.json', { query: { ns: namespace.value, path: textOf(path.value) } }))
          .value,
      );
    });
  useEffect(() => {
    if (isAdmin.value) measure();
  }, [namespace.value, path.value, session.value]);
  if (!isAdmin.value)
    return <ForAdmins what="Health" />;
  const figures = latest.value;
  const broken = figures !== null && value(figures, 'hearth_store_broken') > 0;
  const largest = sizes?.sizes[0]?.bytes ?? 0;
  return (
    <section class="page" aria-label="Health">
      <Trouble text={trouble.value} isCard />
      {figures !== null && (
        <div class="tiles">
          <Tile label="Store" value={broken ? 'broken' : 'healthy'} kind={broken ? 'bad' : 'good'} />
          <Tile label="Up for" value={upFor(figures)} />
          <Tile label="Connections" value={count(value(figures, 'hearth_connections'))} />
          <Tile label="Listeners" value={count(value(figures, 'hearth_listeners'))} />
          <Tile label="Memory" value={bytes(value(figures, 'process_resident_memory_bytes'))} />
          <Tile
            label="Data on disk"
            value={bytes(value(figures, 'hearth_store_sst_bytes') + value(figures, 'hearth_store_wal_bytes'))}
          />
          <Tile label="Disk free" value={bytes(value(figures, 'hearth_store_disk_free_bytes'))} />
          <Tile label="Cut off as slow" value={count(value(figures, 'hearth_slow_readers_total'))} />
        </div>
      )}
      <div class="charts">
        {charts.map((_, i) => (
          <ChartCard key={i} index={i} />
        ))}
      </div>
      <p class="foot">
        Charts show what this page has seen while it was open, up to 15 minutes. Prometheus keeps more:{' '}
        <code>/.metrics</code>.
      </p>
      <div class="card">
        <h2>
          What is large in {namespace.value || 'this namespace'}{' '}
          <Button kind="small" onClick={measure}>
            Measure again
          </Button>
        </h2>
        {sizes !== null && (
          <>
            <p>
              {count(sizes.sizes[0]?.leaves ?? 0)} values, {bytes(largest)}; on disk {bytes(sizes.diskBytes)}, indexes{' '}
              {bytes(sizes.indexDiskBytes)}, history {bytes(sizes.historyDiskBytes)}.
            </p>
            <div class="scroll" tabIndex={0} role="region" aria-label="Sizes of paths">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Path</th>
                    <th scope="col" class="number">
                      Values
                    </th>
                    <th scope="col" class="number">
                      Bytes
                    </th>
                    <th scope="col">Share</th>
                  </tr>
                </thead>
                <tbody>
                  {sizes.sizes.map((one) => (
                    <tr key={one.path}>
                      <th scope="row" dir="auto">
                        <a href={hrefOf('data', parsePath(one.path))}>{one.path}</a>
                      </th>
                      <td class="number">
                        {one.exact ? '' : '≈ '}
                        {count(one.leaves)}
                      </td>
                      <td class="number">
                        {one.exact ? '' : '≈ '}
                        {bytes(one.bytes)}
                      </td>
                      <td>
                        <meter min="0" max={largest || 1} value={one.bytes} aria-label={`Share of ${one.path}`} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </>
        )}
      </div>
    </section>
  );
}

function upFor(figures) {
  const start = value(figures, 'process_start_time_seconds');
  if (!(start > 0)) return '–';
  const minutes = Math.max(0, Date.now() / 60_000 - start / 60);
  if (minutes < 60) return `${Math.floor(minutes)} min`;
  return minutes < 48 * 60
    ? `${Math.floor(minutes / 60)} h ${Math.floor(minutes % 60)} min`
    : `${Math.floor(minutes / 1440)} days`;
}

const kConnectionsShown = 500;

function Connections({ yours, connections }) {
  const cut = (number) =>
    attempt(async () => {
      const { value: done } = await admin('POST', '/.settings/cut.json', {
        body: JSON.stringify({ connection: number }),
      });
      say(done.cut ? `Cut connection ${number}.` : `Connection ${number} was gone already.`);
    });
  const age = (all) =>
    all < 60
      ? `${all} s`
      : all < 3600
        ? `${Math.floor(all / 60)} min`
        : `${Math.floor(all / 3600)} h ${Math.floor((all % 3600) / 60)} min`;
  const rows = [...connections]
    .sort((a, b) => b.waiting - a.waiting || a.number - b.number)
    .slice(0, kConnectionsShown);
  return (
    <div class="card">
      <h2>
        Connections
        <small>
          {' '}
          of the whole server
          {connections.length > rows.length ? `, ${rows.length} of ${count(connections.length)}` : ''}
        </small>
      </h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Connections">
        <table>
          <thead>
            <tr>
              <th scope="col">Number</th>
              <th scope="col">By</th>
              <th scope="col">Address</th>
              <th scope="col" class="number">
                For
              </th>
              <th scope="col" class="number">
                Waiting to be sent
              </th>
              <th scope="col">
                <span class="unseen">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <tr key={one.number}>
                <th scope="row">
                  {one.number}
                  {one.number === yours && <span class="badge">this page</span>}
                </th>
                <td>
                  {one.kind}
                  {one.secure ? ', TLS' : ''}
                </td>
                <td>
                  <code>{one.peer}</code>
                </td>
                <td class="number">{age(one.seconds)}</td>
                <td class="number">{bytes(one.waiting)}</td>
                <td class="actions">
                  <Button kind="small" onClick={() => cut(one.number)} aria-label={`Cut connection ${one.number}`}>
                    Cut
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

const transports = { websocket: 'WebSockets', event_stream: 'Event streams', long_poll: 'Long polling' };

export function PeoplePage() {
  const [stats, setStats] = useState(null);
  const [uid, setUid] = useState('');
  const [connected, setConnected] = useState(null);
  useEffect(() => {
    if (!isAdmin.value) return undefined;
    watch();
    let isGone = false;
    const ask = async () => {
      if (document.visibilityState !== 'visible') return;
      try {
        const { value: found } = await admin('GET', '/.inspect/stats.json', {
          query: { ns: namespace.value, path: '/hearth-console-nothing' },
        });
        const { value: there } = await admin('GET', '/.inspect/connections.json');
        if (isGone) return;
        setStats(found);
        setConnected(there);
      } catch {
        // said by the health page
      }
    };
    ask();
    const timer = setInterval(ask, 3_000);
    return () => {
      isGone = true;
      clearInterval(timer);
    };
  }, [namespace.value, session.value]);
  if (!isAdmin.value)
    return <ForAdmins what="Who is connected" />;
  const kick = (event) => {
    event.preventDefault();
    attempt(async () => {
      const { value: done } = await admin('POST', '/.settings/kick.json', {
        query: { ns: namespace.value },
        body: JSON.stringify({ uid }),
      });
      say(`Signed ${uid} out: ${done.kicked} connections ended.`);
      setUid('');
    });
  };
  const figures = latest.value;
  return (
    <section class="page" aria-label="People">
      <div class="tiles">
        <Tile label={`Sessions in ${namespace.value}`} value={stats === null ? '–' : count(stats.connections)} />
        <Tile label={`Listeners in ${namespace.value}`} value={stats === null ? '–' : count(stats.listeners)} />
        {figures !== null &&
          Object.entries(transports).map(([name, label]) => (
            <Tile
              key={name}
              label={`${label}, server`}
              value={count(value(figures, 'hearth_transports', { transport: name }))}
            />
          ))}
        {figures !== null && (
          <Tile label="Supabase channels" value={count(value(figures, 'hearth_realtime_channels'))} />
        )}
        {figures !== null && <Tile label="Yjs documents open" value={count(value(figures, 'hearth_documents_open'))} />}
        {figures !== null && <Tile label="In topics" value={count(value(figures, 'hearth_topic_members'))} />}
      </div>
      {connected !== null && <Connections {...connected} />}
      <div class="card">
        <h2>Listened to</h2>
        {stats === null || stats.listened.length === 0 ? (
          <p>Nobody listens in this namespace.</p>
        ) : (
          <table>
            <thead>
              <tr>
                <th scope="col">Path</th>
                <th scope="col" class="number">
                  Listeners
                </th>
              </tr>
            </thead>
            <tbody>
              {stats.listened.map((one) => (
                <tr key={one.path}>
                  <th scope="row" dir="auto">
                    <a href={hrefOf('data', parsePath(one.path))}>{one.path}</a>
                  </th>
                  <td class="number">{count(one.listeners)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
      <form class="card form" onSubmit={kick}>
        <h2>Sign a user out</h2>
        <Field label="User id">
          <input value={uid} required onInput={(event) => setUid(event.target.value)} />
        </Field>
        <button type="submit" class="button danger">
          Sign out
        </button>
        <p>All connections of that user in {namespace.value} end, and tokens from before now are refused there.</p>
      </form>
    </section>
  );
}

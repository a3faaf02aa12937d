// The page "Health": figures, charts of the server's last 15 minutes, and what is large.
import { useEffect, useRef, useState } from 'preact/hooks';
import { admin, namespace, text } from './api.js';
import { charts, dataOf, parse, value } from './metrics.js';
import { parsePath, textOf } from './path.js';
import { usePolled } from './poll.js';
import { go, hrefOf, isAdmin, isDark, path, session } from './state.js';
import { age, Button, bytes, clock, count, ForAdmins, seconds, Table, Tile, Trouble } from './ui.jsx';

const kEvery = 5_000; // as the server samples

const shows = {
  rate: (one) => (one >= 10 || one === 0 ? count(Math.round(one)) : one.toFixed(1)),
  count: (one) => count(Math.round(one)),
  bytes,
  seconds,
  percent: (one) => `${one < 10 && one > 0 ? one.toFixed(1) : Math.round(one)} %`,
};
const colors = { light: ['#c4521b', '#2f6f8f'], dark: ['#ff8f4f', '#6db6d6'] };

function ChartCard({ chart: { title, unit, series }, data }) {
  const element = useRef();
  const chart = useRef();
  const latest = useRef();
  const [pointed, setPointed] = useState(null); // a sample
  const dark = isDark.value;
  latest.current = data;
  useEffect(() => {
    let isGone = false;
    import('./charts.js').then(({ Chart }) => {
      if (isGone) return;
      chart.current = new Chart(
        element.current,
        series.map(([label], i) => ({ label, color: colors[dark ? 'dark' : 'light'][i], show: shows[unit] })),
        { isDark: dark, pointed: setPointed },
      );
      chart.current.set(latest.current);
    });
    return () => {
      isGone = true;
      chart.current?.end();
      chart.current = undefined;
    };
  }, [dark]);
  useEffect(() => chart.current?.set(data), [data]);
  const at = (i) => data.slice(1).map((column) => column[i] ?? null).map((one) => (one === null ? '–' : shows[unit](one)));
  const now = at(data[0].length - 1);
  const shown = pointed === null || pointed >= data[0].length ? now : at(pointed);
  const words = series.map(([label], i) => `${series.length > 1 ? `${label} ` : ''}${now[i]}`).join(', ');
  return (
    <figure class="card chart" role="img" aria-label={`${title}: now ${words}`}>
      <figcaption>
        <span>
          {title}
          {pointed !== null && pointed < data[0].length && <small> at {clock(1000 * data[0][pointed])}</small>}
        </span>
        <b>
          {series.map(([label], i) => (
            <span key={label} class={`now of${i}`}>
              {series.length > 1 && <small>{label} </small>}
              {shown[i]}
            </span>
          ))}
        </b>
      </figcaption>
      <div ref={element} />
    </figure>
  );
}

function Tiles({ figures }) {
  const isBroken = value(figures, 'hearth_store_broken') > 0;
  const start = value(figures, 'process_start_time_seconds');
  return (
    <div class="tiles">
      <Tile label="Store" value={isBroken ? 'broken' : 'healthy'} kind={isBroken ? 'bad' : 'good'} />
      <Tile label="Up for" value={start > 0 ? age(Math.max(0, Date.now() / 1000 - start)) : '–'} />
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
  );
}

function Sizes() {
  const at = textOf(path.value);
  const space = namespace.value;
  const ask = async (signal) =>
    (await admin('GET', '/.inspect/stats.json', { query: { ns: space, path: at }, signal })).value;
  const { value: found, error, again } = usePolled(ask, 0, [space, at, session.value]);
  const largest = found?.sizes[0]?.bytes ?? 0;
  return (
    <div class="card">
      <h2>
        What is large in {space || 'this namespace'}
        {at !== '/' && (
          <small>
            {' '}
            at and below <span dir="auto">{at}</span>
          </small>
        )}{' '}
        <Button kind="small" onClick={again}>
          Measure again
        </Button>{' '}
        {at !== '/' && <Button kind="small" onClick={() => go('health', [])}>All of it</Button>}
      </h2>
      <Trouble text={error} />
      {found !== null && (
        <>
          <p>
            {count(found.sizes[0]?.leaves ?? 0)} values, {bytes(largest)}; on disk {bytes(found.diskBytes)}, indexes{' '}
            {bytes(found.indexDiskBytes)}, history {bytes(found.historyDiskBytes)}.
          </p>
          <Table label="Sizes of paths" heads={['Path', '#Values', '#Bytes', 'Share']}>
            {found.sizes.map((one) => (
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
          </Table>
        </>
      )}
    </div>
  );
}

async function look(signal) {
  const [page, ring] = await Promise.all([
    text('GET', '/.metrics', { signal }),
    admin('GET', '/.inspect/figures.json', { signal }),
  ]);
  const { columns } = ring.value;
  return { figures: parse(page), data: charts.map((chart) => dataOf(chart, columns)) };
}

export function HealthPage() {
  const { value: found, error } = usePolled(isAdmin.value ? look : null, kEvery, [session.value]);
  if (!isAdmin.value) return <ForAdmins what="Health" />;
  return (
    <section class="page health" aria-label="Health">
      <Trouble text={error} isCard />
      {found !== null && (
        <>
          <Tiles figures={found.figures} />
          <div class="charts">
            {charts.map((chart, i) => (
              <ChartCard key={chart.title} chart={chart} data={found.data[i]} />
            ))}
          </div>
          <p class="foot">
            The server’s own last 15 minutes. Prometheus keeps more: <code>/.metrics</code>.
          </p>
        </>
      )}
      <Sizes />
    </section>
  );
}

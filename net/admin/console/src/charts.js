// Small charts over time. Loaded when somebody looks at them.
import uPlot from 'uplot';

// `series`: [{ label, color, show(value) }]. `data`: [times in seconds, values…].
const clock = (time) =>
  new Date(time * 1000).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
  });

// A sample that no line leads to: points are drawn for it alone.
const lone = (plot, i) => {
  const there = plot.data[i].flatMap((value, at) => (value === null ? [] : [at]));
  return there.length === 1 ? there : [];
};

export class Chart {
  // `pointed(i)` hears which sample the pointer is at; null: at none.
  constructor(element, series, { height = 130, isDark, pointed }) {
    this.element = element;
    const ink = isDark ? '#a89f94' : '#6d655c';
    const line = isDark ? '#3a342e' : '#e8e1d8';
    const show = series[0].show;
    this.plot = new uPlot(
      {
        width: Math.max(200, element.clientWidth),
        height,
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 } },
        legend: { show: false },
        hooks: { setCursor: [(plot) => pointed(plot.cursor.idx ?? null)] },
        scales: { x: { time: true }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1] } },
        axes: [
          {
            stroke: ink,
            grid: { show: false },
            ticks: { show: false },
            font: '11px system-ui',
            space: 70,
            size: 24,
            values: (_, all) => all.map(clock),
          },
          {
            stroke: ink,
            grid: { stroke: line, width: 1 },
            ticks: { show: false },
            font: '11px system-ui',
            size: 62,
            space: 34,
            values: (_, all) => all.map(show),
          },
        ],
        series: [
          {},
          ...series.map(({ label, color }, i) => ({
            label,
            stroke: color,
            width: 1.6,
            fill: i === 0 ? `${color}22` : undefined,
            points: { show: true, size: 6, fill: color, filter: lone },
            spanGaps: true,
          })),
        ],
      },
      [[]],
      element,
    );
    this.watch = new ResizeObserver(() => this.plot.setSize({ width: Math.max(200, element.clientWidth), height }));
    this.watch.observe(element);
  }
  set(data) {
    this.plot.setData(data, false);
    const times = data[0];
    const now = times[times.length - 1] ?? Date.now() / 1000;
    this.plot.setScale('x', { min: Math.min(times[0] ?? now, now - 60), max: now });
  }
  end() {
    this.watch.disconnect();
    this.plot.destroy();
  }
}

// Lines over an axis of powers of ten, as one SVG that reads on light and on dark pages. Pure: figures in, text out.
//
//   draw(lines, usual)   lines: [{name, points: [{x, y}]}], x a power of ten, y in microseconds; usual: what the other two
//                        are while one grows

const [width, height] = [760, 420];
const plot = { left: 64, right: 706, top: 64, bottom: 340 };
// Each line has a mark of its own, so that colour is not all that tells it from the others.
const marks = [
  (x, y) => `<circle cx="${x}" cy="${y}" r="4.5"/>`,
  (x, y) => `<rect x="${x - 4}" y="${y - 4}" width="8" height="8"/>`,
  (x, y) => `<path d="M${x} ${y - 5.5}l5.5 9.5h-11z"/>`,
  (x, y) => `<path d="M${x} ${y - 6}l6 6l-6 6l-6 -6z"/>`,
];
const style = `
.page { fill: #fcfcfb } text { fill: #52514e } .title { fill: #0b0b0b } .grid { stroke: #e4e3df } .axis { stroke: #8a8984 }
.line0 { stroke: #2a78d6; fill: #2a78d6 } .line1 { stroke: #d0561f; fill: #d0561f } .line2 { stroke: #15815a; fill: #15815a } .line3 { stroke: #7a4fc4; fill: #7a4fc4 }
@media (prefers-color-scheme: dark) {
.page { fill: #1a1a19 } text { fill: #c3c2b7 } .title { fill: #ffffff } .grid { stroke: #383835 } .axis { stroke: #7d7c76 }
.line0 { stroke: #5598e7; fill: #5598e7 } .line1 { stroke: #e9763f; fill: #e9763f } .line2 { stroke: #2fae7c; fill: #2fae7c } .line3 { stroke: #a58bea; fill: #a58bea }
}`;

const number = (value) => value.toLocaleString('en-US');
const round = (value) => Math.round(value * 10) / 10;

// 5, 10, 20, 50 and so on: at most six steps up to `most`.
function stepFor(most) {
  for (let power = 1; ; power *= 10) {
    for (const step of [power, 2 * power, 5 * power]) if (most / step <= 6) return step;
  }
}

export function draw(lines, usual) {
  const all = lines.flatMap(({ points }) => points);
  const decades = Math.max(1, ...all.map(({ x }) => Math.log10(x)));
  const step = stepFor(Math.max(...all.map(({ y }) => y)));
  const top = step * Math.ceil((1.15 * Math.max(...all.map(({ y }) => y))) / step);
  const right = (x) => round(plot.left + (Math.log10(x) / decades) * (plot.right - plot.left));
  const up = (y) => round(plot.bottom - (y / top) * (plot.bottom - plot.top));

  const grid = [];
  for (let y = 0; y <= top; y += step) {
    grid.push(`<path class="${y === 0 ? 'axis' : 'grid'}" d="M${plot.left} ${up(y)}H${plot.right}"/>`);
    grid.push(`<text x="${plot.left - 10}" y="${up(y) + 4}" text-anchor="end">${y}</text>`);
  }
  for (let decade = 0; decade <= decades; ++decade) {
    const x = right(10 ** decade);
    grid.push(`<path class="axis" d="M${x} ${plot.bottom}v5"/>`);
    grid.push(`<text x="${x}" y="${plot.bottom + 22}" text-anchor="middle">${number(10 ** decade)}</text>`);
  }
  const drawn = lines.map(({ points }, i) => {
    const path = points.map(({ x, y }, at) => `${at === 0 ? 'M' : 'L'}${right(x)} ${up(y)}`).join('');
    return `<g class="line${i}"><path fill="none" stroke-width="2" d="${path}"/>${points.map(({ x, y }) => marks[i](right(x), up(y))).join('')}</g>`;
  });
  let next = plot.left + 6;
  const legend = lines.map(({ name }, i) => {
    const x = next;
    next += 44 + 6.6 * name.length; // about as wide as the text
    return `<g class="line${i}">${marks[i](x, plot.top - 18)}</g><text x="${x + 12}" y="${plot.top - 14}">${name}</text>`;
  });
  const figures = lines.map(({ name, points }) => `${name}: ${points.map(({ x, y }) => `${number(x)}: ${y.toFixed(1)}`).join('; ')}.`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="sans-serif" font-size="13">
<title>Server CPU per put, as the leaves, the listeners beside the writes and the namespaces grow</title>
<desc>Microseconds of server CPU per put, with --sync os. ${figures.join('\n')}
Written by tests/bench/plot.mjs.</desc>
<style>${style}
</style>
<rect class="page" width="100%" height="100%" rx="6"/>
<text class="title" x="20" y="28" font-size="15">Server CPU per put over a WebSocket, in microseconds (--sync os)</text>
${legend.join('\n')}
<g stroke-width="1">
${grid.join('\n')}
</g>
${drawn.join('\n')}
<text x="${(plot.left + plot.right) / 2}" y="${plot.bottom + 46}" text-anchor="middle">how many there are; what does not grow stays at ${number(usual.leaves)} leaves, ${number(usual.listeners)} listeners, ${number(usual.namespaces)} namespace</text>
</svg>
`;
}

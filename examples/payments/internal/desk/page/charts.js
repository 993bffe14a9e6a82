// The two plots, in SVG.
import { h, svg } from './dom.js';
import { money } from './money.js';

const width = 560, height = 168, left = 52, right = 8, top = 12, bottom = 24;
const inner = { w: width - left - right, h: height - top - bottom };

/** A round number above a value: 1, 2 or 5 with zeroes. */
function ceiling(value) {
  const step = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((m) => m * step).find((m) => m >= value);
}

const label = (day) => new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(new Date(`${day}T00:00:00Z`));

function frame(name, highest, written, data, ...shapes) {
  const lines = [0, 0.5, 1].map((part) => {
    const y = top + inner.h * (1 - part);
    return [
      svg('line', { class: 'grid', x1: left, x2: width - right, y1: y, y2: y }),
      svg('text', { class: 'tick', x: left - 8, y: y + 4, 'text-anchor': 'end' }, written(highest * part)),
    ];
  });
  const step = inner.w / data.length;
  const dates = data.map((d, i) => ((data.length - i) % 7 === 4 ? svg('text', { class: 'tick', x: left + step * (i + 0.5), y: height - 6, 'text-anchor': 'middle' }, label(d.day)) : undefined));
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': name, class: 'plot' }, lines.flat(), dates, shapes);
}

/** What was captured, a bar a day. */
export function volume(data, currency) {
  const highest = ceiling(Math.max(...data.map((d) => d.volume)));
  const step = inner.w / data.length, thick = Math.max(2, step - 4);
  const bars = data.map((d, i) => {
    const tall = Math.max(d.volume > 0 ? 2 : 0, inner.h * d.volume / highest);
    const bar = svg('rect', { class: 'fill', x: left + step * i + (step - thick) / 2, y: top + inner.h - tall, width: thick, height: tall, rx: 2 });
    bar.append(svg('title', {}, `${label(d.day)}: ${money(d.volume, currency)}`));
    return bar;
  });
  const sum = data.reduce((n, d) => n + d.volume, 0);
  return frame(`Captured volume by day, ${money(sum, currency)} in ${data.length} days`, highest, (v) => money(Math.round(v), currency, true), data, bars);
}

/** The share of payments that were approved, over the seven days up to each. */
export function approval(data) {
  const step = inner.w / data.length;
  const points = [];
  data.forEach((_, i) => {
    const week = data.slice(Math.max(0, i - 6), i + 1);
    const asked = week.reduce((n, d) => n + d.asked, 0);
    if (asked === 0) return;
    const share = week.reduce((n, d) => n + d.approved, 0) / asked;
    points.push({ x: left + step * (i + 0.5), y: top + inner.h * (1 - share), share, day: data[i].day });
  });
  const shapes = [];
  if (points.length > 0) {
    const line = points.map((p) => `${p.x.toFixed(1)},${p.y.toFixed(1)}`).join(' ');
    const floor = top + inner.h;
    shapes.push(svg('polygon', { class: 'area', points: `${points[0].x},${floor} ${line} ${points.at(-1).x},${floor}` }));
    shapes.push(svg('polyline', { class: 'line', points: line }));
    for (const p of points) {
      const dot = svg('circle', { class: 'dot', cx: p.x, cy: p.y, r: 6 });
      dot.append(svg('title', {}, `${label(p.day)}: ${percent(p.share)} of the seven days before`));
      shapes.push(dot);
    }
    const last = points.at(-1);
    shapes.push(svg('circle', { class: 'end', cx: last.x, cy: last.y, r: 4 }));
  }
  const now = points.at(-1)?.share;
  return frame(`Approval rate, seven days each time, now ${now === undefined ? 'unknown' : percent(now)}`, 1, (v) => percent(v), data, shapes);
}

export const percent = (share) => new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 0 }).format(share);

/** One figure with its name. */
export function figure(name, value, note) {
  return h('div', { class: 'figure' }, h('dt', {}, name), h('dd', {}, value, note ? h('small', {}, note) : undefined));
}

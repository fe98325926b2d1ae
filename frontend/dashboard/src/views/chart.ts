import { h, svg } from '@isshoni/paper';
import type { Move, Stand } from '../model.js';
import { t } from '../i18n.js';
import { sayClock, sayCount } from '../numbers.js';
import type { View } from './view.js';

const [WIDTH, HEIGHT] = [1000, 160];
type Points = Move['connections'];

/** Connections of each slot during the last rollout, stacked. */
export function chart(): View {
  const green = svg('path', { class: 'green' });
  const blue = svg('path', { class: 'blue' });
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': t('connectionsOverTime') };
  const drawing = svg('svg', box, blue, green);
  const [top, from, to] = [h('span', { class: 'top' }), h('span'), h('span')];
  const none = h('p', { class: 'hint' }, t('noChart'));
  const plot = h('div', { class: 'plot' }, drawing, top, h('p', { class: 'ends' }, from, to));
  const element = h('section', { class: 'chart' }, h('h2', {}, t('connectionsOverTime')), none, plot);
  const update = ({ rollout, move: { connections: points } }: Stand): void => {
    element.hidden = points.length < 2 && rollout?.outcome !== 'running';
    none.hidden = points.length > 1;
    plot.hidden = points.length < 2;
    if (points.length < 2) return;
    const most = Math.max(1, ...points.map(([, onBlue, onGreen]) => onBlue + onGreen));
    const [began, ended] = [points[0]![0], points.at(-1)![0]];
    const x = (at: number): string => (((at - began) / (ended - began || 1)) * WIDTH).toFixed(1);
    const y = (count: number): string => (HEIGHT - (count / (most * 1.06)) * HEIGHT).toFixed(1);
    blue.setAttribute('d', area(points, x, y, ([, onBlue]) => onBlue, () => 0));
    green.setAttribute('d', area(points, x, y, ([, onBlue, onGreen]) => onBlue + onGreen, ([, onBlue]) => onBlue));
    top.textContent = sayCount(most);
    from.textContent = '0 s';
    to.textContent = sayClock(ended - began);
  };
  return { element, update };
}

type Value = (point: Points[number]) => number;
type Place = (value: number) => string;

function area(points: Points, x: Place, y: Place, upper: Value, lower: Value): string {
  const over = points.map((point) => `${x(point[0])} ${y(upper(point))}`);
  const under = points.map((point) => `${x(point[0])} ${y(lower(point))}`).reverse();
  return `M${[...over, ...under].join('L')}Z`;
}

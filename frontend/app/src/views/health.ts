import type { IsshoniClient, Status } from '@isshoni/client';
import { h } from '@isshoni/paper';
import { colourName, t } from '../i18n.js';
import { disposeAll, type View } from './view.js';

const SHOW_MOVE_MS = 8_000;

const LABELS: Record<Status, Parameters<typeof t>[0]> = {
  connecting: 'connecting',
  restored: 'restored',
  reconnecting: 'reconnecting',
  offline: 'offline',
  refused: 'statusRefused',
  closed: 'closed',
};

/** How the connection is, who serves it, and for a while after a move: where to and how fast. */
export function healthBadge(client: IsshoniClient): View {
  const label = h('span', { class: 'label' });
  const server = h('span', { class: 'server' });
  const element = h('div', { class: 'health', role: 'status' }, h('span', { class: 'dot' }), label, server);
  let moveTimer: ReturnType<typeof setTimeout> | undefined;

  const render = (): void => {
    const { status, unsaved } = client;
    const well = status === 'restored';
    element.dataset.status = status;
    label.textContent = t(LABELS[status]);
    element.title = !well && (unsaved.messages > 0 || unsaved.canvas) ? t('kept') : '';
    const identity = well ? client.server : null;
    element.dataset.colour = identity?.colour ?? '';
    server.textContent = identity === null ? '' : `${identity.version} · ${colourName(identity.colour)}`;
  };

  const showMove = (version: string, ms: number): void => {
    render();
    label.textContent = t('moved', { version, ms });
    element.classList.add('moved');
    clearTimeout(moveTimer);
    moveTimer = setTimeout(() => {
      element.classList.remove('moved');
      render();
    }, SHOW_MOVE_MS);
  };

  render();
  const dispose = disposeAll([
    client.on('status', render),
    client.on('moved', ({ version, gap_ms }) => showMove(version, gap_ms)),
    () => clearTimeout(moveTimer),
  ]);
  return { element, dispose };
}

import type { Status } from '@isshoni/client';
import { colourName, t } from '../i18n.js';
import type { Health } from '../models/health.js';
import { useChanges, useValue } from '../observable.js';

const LABELS: Record<Status, Parameters<typeof t>[0]> = {
  connecting: 'connecting',
  restored: 'restored',
  reconnecting: 'reconnecting',
  offline: 'offline',
  refused: 'statusRefused',
  closed: 'closed',
};

/** Shows the connection's status, server and unsaved work; after a move, its target and time. */
export function HealthBadge({ health }: { health: Health }) {
  useChanges(health);
  const hasUnsaved = useValue(health.saving, () => health.unsaved.anything);
  const { status, move, server } = health;
  const well = status === 'restored';
  return (
    <div
      className={move === null ? 'health' : 'health moved'}
      role="status"
      data-status={status}
      data-colour={well ? server?.colour : undefined}
      data-unsaved={hasUnsaved || undefined}
      title={!well && hasUnsaved ? t('kept') : undefined}
    >
      <span className="dot" />
      <span className="label">{move === null ? t(LABELS[status]) : t('moved', move)}</span>
      {well && server !== null && <span className="server">{`${server.version} · ${colourName(server.colour)}`}</span>}
      {!well && hasUnsaved && <span className="server">{t('unsaved')}</span>}
    </div>
  );
}

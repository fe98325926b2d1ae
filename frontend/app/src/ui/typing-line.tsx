import { t } from '../i18n.js';
import { useChanges } from '../observable.js';
import type { Session } from '../session.js';

const MOST_NAMES = 3;

/** Who is typing: three names at most. Its place is kept, so that nothing moves when it changes. */
export function TypingLine({ session: { typing, people, conversation } }: { session: Session }) {
  useChanges(typing);
  const { unsavedActs } = conversation;
  if (unsavedActs > 0) return <p className="typing unsaved-acts">{t('actsUnsaved', { count: unsavedActs })}</p>;
  return (
    <p className="typing" aria-live="off">
      {sentence([...new Set(typing.clients.map((client) => people.nameOf(client)))])}
    </p>
  );
}

function sentence(names: string[]): string {
  if (names.length === 0) return '';
  if (names.length > MOST_NAMES) return t('manyTyping');
  return t(names.length === 1 ? 'oneTyping' : 'someTyping', { names: names.join(', ') });
}

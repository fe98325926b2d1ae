import { t } from '../i18n.js';
import type { People } from '../models/people.js';
import { useChanges } from '../observable.js';

const SHOWN = 5;

/** The users present, a round mark each; the own one is a button to change the name. */
export function PeopleList({ people, onRename }: { people: People; onRename: () => void }) {
  useChanges(people);
  const [self, ...others] = people.present();
  const shown = others.slice(0, SHOWN - 1);
  const more = others.slice(SHOWN - 1);
  const label = `${self!.name} (${t('you')}) – ${t('rename')}`;
  return (
    <ul className="people" aria-label={t('people')}>
      <li>
        <button type="button" className={mark(people, self!.clientId)} title={label} aria-label={label} onClick={onRename}>
          {firstCharacter(self!.name)}
        </button>
      </li>
      {shown.map(({ clientId, name }) => (
        <li key={clientId} className={mark(people, clientId)} title={name} aria-label={name}>
          {firstCharacter(name)}
        </li>
      ))}
      {more.length > 0 && (
        <li className="person more" title={more.map(({ name }) => name).join(', ')}>
          {`+${more.length}`}
        </li>
      )}
    </ul>
  );
}

const mark = (people: People, clientId: string): string => `person tint-${people.tintOf(clientId)}`;
const firstCharacter = (name: string): string => [...name][0]?.toUpperCase() ?? '?';
